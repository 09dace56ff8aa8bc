//! The workloads that Guile Fibers brings with it.
//! SPDX-License-Identifier: MIT

use crate::channels::{answer, ask, numbers_from};
use crate::check;
use std::sync::Arc;
use tokio::sync::mpsc::{channel, Receiver, Sender};
use tokio::sync::Mutex;

pub async fn chain(links: u64) {
    const MESSAGES: u64 = 10_000;
    let (output, mut numbers) = channel(1);
    tokio::spawn(numbers_from(0, output));
    for _ in 0..links {
        let (output, next) = channel(1);
        tokio::spawn(answer(numbers, output));
        numbers = next;
    }
    for i in 0..MESSAGES {
        check(
            numbers.recv().await == Some(i),
            "a message got lost in the chain",
        );
    }
}

async fn broadcast(mut input: Receiver<u64>, outputs: Vec<Sender<u64>>) {
    while let Some(x) = input.recv().await {
        for output in &outputs {
            if output.send(x).await.is_err() {
                return;
            }
        }
    }
}

async fn square(mut input: Receiver<u64>, output: Sender<u64>) {
    while let Some(x) = input.recv().await {
        if output.send(x * x).await.is_err() {
            break;
        }
    }
}

async fn add_up(mut inputs: Vec<Receiver<u64>>, output: Sender<u64>) {
    loop {
        let mut sum = 0;
        for input in &mut inputs {
            match input.recv().await {
                Some(x) => sum += x,
                None => return,
            }
        }
        if output.send(sum).await.is_err() {
            break;
        }
    }
}

async fn square_root(mut input: Receiver<u64>, output: Sender<f64>) {
    while let Some(x) = input.recv().await {
        if output.send((x as f64).sqrt()).await.is_err() {
            break;
        }
    }
}

pub async fn diagonal(dimensions: u64) {
    const MESSAGES: u64 = 20_000;
    let (counter, numbers) = channel(1);
    let (adder, sums) = channel(1);
    let (rooter, mut roots) = channel(1);
    let (mut sides, mut squares) = (Vec::new(), Vec::new());
    for _ in 0..dimensions {
        let (side, input) = channel(1);
        let (output, squared) = channel(1);
        tokio::spawn(square(input, output));
        sides.push(side);
        squares.push(squared);
    }
    tokio::spawn(numbers_from(0, counter));
    tokio::spawn(broadcast(numbers, sides));
    tokio::spawn(add_up(squares, adder));
    tokio::spawn(square_root(sums, rooter));
    for i in 0..MESSAGES {
        let expected = ((i * i * dimensions) as f64).sqrt();
        check(
            roots.recv().await == Some(expected),
            "a diagonal has a wrong length",
        );
    }
}

/// An mpsc has one receiver: getters share it behind a mutex.
pub async fn fan_out(getters: u64) {
    const MESSAGES: u64 = 200_000;
    let (output, input) = channel(1);
    let input = Arc::new(Mutex::new(input));
    let mut tasks = Vec::new();
    for _ in 0..getters {
        let input = input.clone();
        tasks.push(tokio::spawn(async move {
            let mut sum = 0;
            while let Some(x) = input.lock().await.recv().await {
                sum += x;
            }
            sum
        }));
    }
    for i in 0..MESSAGES {
        output.send(i).await.unwrap();
    }
    drop(output);
    let mut total = 0;
    for task in tasks {
        total += task.await.unwrap();
    }
    check(
        total == MESSAGES * (MESSAGES - 1) / 2,
        "a message got lost on its way out",
    );
}

/// A pair has a channel for each direction, as an mpsc has one receiver.
pub async fn pairs(count: u64) {
    const MESSAGES: u64 = 10_000;
    let mut tasks = Vec::new();
    for _ in 0..count {
        tasks.push(tokio::spawn(async {
            let (ping, pinged) = channel(1);
            let (pong, ponged) = channel(1);
            tokio::spawn(answer(pinged, pong));
            ask(ping, ponged, MESSAGES).await;
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
}
