//! Benchmarks of Tokio's tasks and channels: the table of workloads, and what runs one.
//! SPDX-License-Identifier: MIT

mod channels;
mod guile;
mod tasks;

use channels::{fib, pingpong, pingpong_across, ring, select, select_timeout, sieve, skynet};
use guile::{chain, diagonal, fan_out, pairs};
use std::future::Future;
use std::process::exit;
use std::time::{Duration, Instant};
use tasks::{idle, mutex, sleepers, spawn, speedup, timers, yields};
use tokio::runtime::{Builder, Runtime};

struct Workload {
    name: &'static str,
    workers: &'static [usize], // that it is listed with
    count: u64,                // the default
    run: fn(workers: usize, count: u64) -> Vec<f64>,
}

const fn workload(
    name: &'static str,
    count: u64,
    run: fn(workers: usize, count: u64) -> Vec<f64>,
) -> Workload {
    Workload {
        name,
        workers: &[1, 2],
        count,
        run,
    }
}

const WORKLOADS: &[Workload] = &[
    workload("pingpong", 1_000_000, |w, n| ns(n, timed(w, pingpong(n)))),
    Workload {
        name: "pingpong-x",
        workers: &[2],
        count: 20_000,
        run: |_, n| ns(n, pingpong_across(n)),
    },
    workload("spawn", 1_000_000, |w, n| ns(n, timed(w, spawn(n)))),
    workload("ring", 2_000_000, |w, n| ns(n, timed(w, ring(n)))),
    workload("skynet", 1_000_000, |w, n| ms(timed(w, skynet(n)))),
    workload("sieve", 2_000, |w, n| ms(timed(w, sieve(n)))),
    workload("select", 1_000_000, |w, n| ns(n, timed(w, select(n)))),
    workload("select-timeout", 1_000_000, |w, n| {
        ns(n, timed(w, select_timeout(n)))
    }),
    workload("yield", 2_000_000, |w, n| ns(2 * n, timed(w, yields(n)))),
    workload("fib", 24, |w, n| ms(timed(w, fib(n)))),
    workload("mutex", 2_000_000, |w, n| ns(n, timed(w, mutex(n)))),
    workload("timers", 1_000, |w, n| run(w, timers(n))),
    workload("sleepers", 1_000_000, |w, n| ms(timed(w, sleepers(n)))),
    workload("idle", 1_000_000, |w, n| run(w, idle(n))),
    workload("speedup", 64, |w, n| ms(run(w, speedup(n)))),
    workload("chain", 100, |w, n| ms(timed(w, chain(n)))),
    workload("diagonal", 10, |w, n| ms(timed(w, diagonal(n)))),
    workload("fan-out", 100, |w, n| ms(timed(w, fan_out(n)))),
    workload("ping-pong", 100, |w, n| ms(timed(w, pairs(n)))),
];

fn ns(steps: u64, time: Duration) -> Vec<f64> {
    vec![time.as_secs_f64() * 1e9 / steps as f64]
}

fn ms(time: Duration) -> Vec<f64> {
    vec![time.as_secs_f64() * 1e3]
}

fn runtime(workers: usize) -> Runtime {
    let mut builder = match workers {
        1 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    builder
        .worker_threads(workers)
        .enable_all()
        .build()
        .unwrap()
}

/// Runs a future as a task of its own, as what is given to block_on() itself runs on a thread
/// that is none of the workers.
fn run<T: Send + 'static>(workers: usize, future: impl Future<Output = T> + Send + 'static) -> T {
    let runtime = runtime(workers);
    runtime.block_on(runtime.spawn(future)).unwrap()
}

fn timed(workers: usize, future: impl Future<Output = ()> + Send + 'static) -> Duration {
    run(workers, async {
        let begin = Instant::now();
        future.await;
        begin.elapsed()
    })
}

fn quit(status: i32, why: &str) -> ! {
    eprintln!("tokio: {why}");
    exit(status)
}

fn check(is_right: bool, otherwise: &str) {
    if !is_right {
        quit(1, otherwise);
    }
}

fn positive(argument: &str) -> u64 {
    match argument.parse() {
        Ok(n) if n > 0 => n,
        _ => quit(1, &format!("{argument} is not a positive number")),
    }
}

fn joined<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    items
        .into_iter()
        .map(|item| item.to_string())
        .collect::<Vec<_>>()
        .join(" ")
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (name, workers, count) = match arguments[..] {
        ["list"] => {
            for w in WORKLOADS {
                println!("{} {}", w.name, joined(w.workers));
            }
            return;
        }
        [name, workers] => (name, positive(workers), None),
        [name, workers, count] => (name, positive(workers), Some(positive(count))),
        _ => quit(1, "usage: tokio WORKLOAD WORKERS [COUNT], or tokio list"),
    };
    let workload = match WORKLOADS.iter().find(|w| w.name == name) {
        Some(workload) => workload,
        None => quit(77, &format!("no workload {name}")),
    };
    let workers = workers as usize;
    if workers < workload.workers[0] {
        quit(77, &format!("{name} needs {} workers", workload.workers[0]));
    }
    let figures = (workload.run)(workers, count.unwrap_or(workload.count));
    println!(
        "{}",
        joined(figures.iter().map(|figure| format!("{figure:.1}")))
    );
}
