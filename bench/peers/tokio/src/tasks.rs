//! Workloads of tasks as such: spawning, yielding, locking, sleeping, computing.
//! SPDX-License-Identifier: MIT

use crate::check;
use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{watch, Mutex};
use tokio::task::{yield_now, JoinHandle};
use tokio::time::sleep;

async fn join<T>(tasks: Vec<JoinHandle<T>>) -> Vec<T> {
    let mut results = Vec::with_capacity(tasks.len());
    for task in tasks {
        results.push(task.await.unwrap());
    }
    results
}

pub async fn spawn(count: u64) {
    join((0..count).map(|_| tokio::spawn(async {})).collect()).await;
}

async fn yield_often(times: u64) {
    for _ in 0..times {
        yield_now().await;
    }
}

pub async fn yields(times: u64) {
    let other = tokio::spawn(yield_often(times));
    yield_often(times).await;
    other.await.unwrap();
}

/// Tokio's own mutex, whose waiters give way to other tasks.
pub async fn mutex(locks: u64) {
    const LOCKERS: u64 = 8;
    let counter = Arc::new(Mutex::new(0));
    let lockers = (0..LOCKERS).map(|i| {
        let counter = counter.clone();
        tokio::spawn(async move {
            for _ in 0..(locks + i) / LOCKERS {
                *counter.lock().await += 1;
            }
        })
    });
    join(lockers.collect()).await;
    check(*counter.lock().await == locks, "a count got lost");
}

/// 1-100 ms at random, by a xorshift.
fn delays() -> impl Iterator<Item = Duration> {
    let mut x: u64 = 88172645463325252;
    std::iter::repeat_with(move || {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        Duration::from_nanos(1_000_000 + x % 99_000_000)
    })
}

async fn lateness(delays: Vec<Duration>) -> Vec<Duration> {
    let mut late = Vec::with_capacity(delays.len());
    for delay in delays {
        let begin = Instant::now();
        sleep(delay).await;
        let slept = begin.elapsed();
        check(slept >= delay, "woke too early");
        late.push(slept - delay);
    }
    late
}

pub async fn timers(count: u64) -> Vec<f64> {
    let mut delays = delays();
    let sleepers = (0..count).map(|_| {
        let delays = delays.by_ref().take(20).collect();
        tokio::spawn(lateness(delays))
    });
    let mut late = join(sleepers.collect()).await.concat();
    late.sort();
    [50, 99]
        .map(|percent| late[late.len() * percent / 100].as_secs_f64() * 1e6)
        .to_vec()
}

pub async fn sleepers(count: u64) {
    let second = Duration::from_secs(1);
    let begin = Instant::now();
    join((0..count).map(|_| tokio::spawn(sleep(second))).collect()).await;
    check(begin.elapsed() >= second, "slept for less than 1 s");
}

/// What the process has in memory (VmRSS).
fn resident_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    line.split_whitespace()
        .nth(1)
        .unwrap()
        .parse::<u64>()
        .unwrap()
        * 1024
}

/// The channel that many wait on is a watch, as an mpsc has one receiver.
pub async fn idle(count: u64) -> Vec<f64> {
    let before = resident_bytes();
    let started = Arc::new(AtomicU64::new(0));
    let (sender, receiver) = watch::channel(0);
    let waiters = (0..count).map(|_| {
        let started = started.clone();
        let mut receiver = receiver.clone();
        tokio::spawn(async move {
            started.fetch_add(1, Ordering::Relaxed);
            receiver.changed().await.unwrap();
            let x: u64 = *receiver.borrow();
            x
        })
    });
    let waiters = waiters.collect();
    while started.load(Ordering::Relaxed) < count {
        sleep(Duration::from_millis(1)).await;
    }
    sleep(Duration::from_millis(100)).await; // for the last to get from starting to waiting
    let grown = resident_bytes() - before;

    sender.send(1).unwrap();
    let woken: u64 = join(waiters).await.iter().sum();
    check(woken == count, "not all that waited were told");
    vec![grown as f64 / count as f64]
}

fn multiply_and_add(rounds: u64) -> u64 {
    (0..rounds).fold(1, |x: u64, _| {
        x.wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407)
    })
}

/// Finds out how often the machine, undisturbed, multiplies and adds in a time.
fn rounds_in(time: Duration) -> u64 {
    const TRIAL: u64 = 1_000_000;
    let trials = (0..20).map(|i| {
        let begin = Instant::now();
        check(multiply_and_add(TRIAL + i) != 0, "computed 0");
        begin.elapsed()
    });
    let best = trials.min().unwrap();
    (TRIAL as f64 * time.as_secs_f64() / best.as_secs_f64()) as u64
}

pub async fn speedup(tasks: u64) -> Duration {
    let rounds = rounds_in(Duration::from_millis(20));
    let expected = multiply_and_add(rounds);
    let begin = Instant::now();
    let tasks = (0..tasks).map(|_| tokio::spawn(async move { multiply_and_add(rounds) }));
    let results = join(tasks.collect()).await;
    let time = begin.elapsed();
    check(
        results.iter().all(|&x| x == expected),
        "the tasks computed different numbers",
    );
    time
}
