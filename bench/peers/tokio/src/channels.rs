//! Workloads of channels, and of selects over them.
//! SPDX-License-Identifier: MIT
//!
//! Tokio has no unbuffered channels: its users take mpsc::channel(1), and oneshot for one answer.

use crate::{check, runtime};
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{channel, Receiver, Sender};
use tokio::sync::oneshot;
use tokio::time::timeout;

/// Ends when either side is gone.
pub async fn answer(mut input: Receiver<u64>, output: Sender<u64>) {
    while let Some(x) = input.recv().await {
        if output.send(x).await.is_err() {
            break;
        }
    }
}

pub async fn ask(output: Sender<u64>, mut input: Receiver<u64>, rounds: u64) {
    for i in 0..rounds {
        output.send(i).await.unwrap();
        check(input.recv().await == Some(i), "another number came back");
    }
}

pub async fn pingpong(rounds: u64) {
    let (ping, pinged) = channel(1);
    let (pong, ponged) = channel(1);
    tokio::spawn(answer(pinged, pong));
    ask(ping, ponged, rounds).await;
}

/// Two runtimes with a thread each: within one runtime no task can be kept to a worker.
pub fn pingpong_across(rounds: u64) -> Duration {
    let (ping, pinged) = channel(1);
    let (pong, ponged) = channel(1);
    let (here, elsewhere) = (runtime(1), runtime(1));
    let begin = Instant::now();
    let answerer = thread::spawn(move || elsewhere.block_on(answer(pinged, pong)));
    here.block_on(ask(ping, ponged, rounds));
    answerer.join().unwrap();
    begin.elapsed()
}

/// The token is the number of hops left.
pub async fn ring(hops: u64) {
    const SIZE: usize = 503;
    let (done, mut ended) = channel(1);
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..SIZE).map(|_| channel(1)).unzip();
    for (place, mut input) in receivers.into_iter().enumerate() {
        let output = senders[(place + 1) % SIZE].clone();
        let done = done.clone();
        tokio::spawn(async move {
            while let Some(token) = input.recv().await {
                if token <= 1 {
                    done.send((place, token)).await.unwrap();
                    break;
                }
                output.send(token - 1).await.unwrap();
            }
        });
    }
    senders[0].send(hops).await.unwrap();
    let last = (hops - 1) as usize % SIZE;
    check(
        ended.recv().await == Some((last, 1)),
        "the token got lost in the ring",
    );
}

const DEGREE: u64 = 10;

fn skynet_node(output: Sender<u64>, first: u64, size: u64) {
    tokio::spawn(async move {
        let mut sum = first;
        if size > 1 {
            let (child_output, mut input) = channel(DEGREE as usize);
            for i in 0..DEGREE {
                skynet_node(
                    child_output.clone(),
                    first + i * (size / DEGREE),
                    size / DEGREE,
                );
            }
            drop(child_output);
            sum = 0;
            while let Some(x) = input.recv().await {
                sum += x;
            }
        }
        output.send(sum).await.unwrap();
    });
}

pub async fn skynet(leaves: u64) {
    let (output, mut input) = channel(1);
    skynet_node(output, 0, leaves);
    check(
        input.recv().await == Some(leaves * (leaves - 1) / 2),
        "skynet gave a wrong sum",
    );
}

fn fib_node(n: u64) -> oneshot::Receiver<u64> {
    let (output, result) = oneshot::channel();
    tokio::spawn(async move {
        let mut sum = n;
        if n >= 2 {
            let (a, b) = (fib_node(n - 1), fib_node(n - 2));
            sum = a.await.unwrap() + b.await.unwrap();
        }
        output.send(sum).unwrap();
    });
    result
}

pub async fn fib(n: u64) {
    let (mut a, mut b) = (0, 1);
    for _ in 0..n {
        (a, b) = (b, a + b);
    }
    check(fib_node(n).await == Ok(a), "fib gave a wrong number");
}

pub async fn numbers_from(first: u64, output: Sender<u64>) {
    for n in first.. {
        if output.send(n).await.is_err() {
            break;
        }
    }
}

async fn without_multiples(prime: u64, mut input: Receiver<u64>, output: Sender<u64>) {
    while let Some(x) = input.recv().await {
        if x % prime != 0 && output.send(x).await.is_err() {
            break;
        }
    }
}

pub async fn sieve(count: u64) {
    let (output, mut numbers) = channel(1);
    tokio::spawn(numbers_from(2, output));
    let mut primes = Vec::new();
    for _ in 0..count {
        let prime = numbers.recv().await.unwrap();
        let (output, rest) = channel(1);
        tokio::spawn(without_multiples(prime, numbers, output));
        numbers = rest;
        primes.push(prime);
    }
    check_primes(&primes);
}

fn check_primes(primes: &[u64]) {
    let mut expected = (2..).filter(|x| {
        let smaller = primes.iter().take_while(|&p| p * p <= *x);
        smaller.into_iter().all(|p| x % p != 0)
    });
    let is_right = primes.iter().all(|&p| expected.next() == Some(p));
    check(is_right, "the sieve gave a wrong prime");
}

pub async fn select(messages: u64) {
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = [(); 8].map(|()| {
        let (output, input) = channel(1);
        tokio::spawn(numbers_from(0, output));
        input
    });
    let mut expected = [0; 8];
    for _ in 0..messages {
        let (i, x) = tokio::select! {
            x = a.recv() => (0, x),
            x = b.recv() => (1, x),
            x = c.recv() => (2, x),
            x = d.recv() => (3, x),
            x = e.recv() => (4, x),
            x = f.recv() => (5, x),
            x = g.recv() => (6, x),
            x = h.recv() => (7, x),
        };
        check(x == Some(expected[i]), "a message got lost");
        expected[i] += 1;
    }
}

pub async fn select_timeout(messages: u64) {
    let (output, mut input) = channel(1);
    tokio::spawn(numbers_from(0, output));
    for i in 0..messages {
        let x = timeout(Duration::from_secs(1), input.recv()).await;
        check(x == Ok(Some(i)), "a message got lost or late");
    }
}
