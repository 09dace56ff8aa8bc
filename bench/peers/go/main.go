// Benchmarks of Go's goroutines and channels: the table of workloads, and what runs one.
// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"
)

type workload struct {
	name    string
	workers []int // that it is listed with
	count   int   // the default
	run     func(count int) []float64
}

var oneOrTwo = []int{1, 2}
var two = []int{2}

var workloads = []workload{
	{"pingpong", oneOrTwo, 1_000_000, nsPerStep(1, pingpong)},
	{"pingpong-x", two, 20_000, nsPerStep(1, pingpongAcross)},
	{"spawn", oneOrTwo, 1_000_000, nsPerStep(1, spawn)},
	{"ring", oneOrTwo, 2_000_000, nsPerStep(1, ring)},
	{"skynet", oneOrTwo, 1_000_000, ms(skynet)},
	{"sieve", oneOrTwo, 2_000, ms(sieve)},
	{"select", oneOrTwo, 1_000_000, nsPerStep(1, choose)},
	{"select-timeout", oneOrTwo, 1_000_000, nsPerStep(1, chooseOrTimeout)},
	{"yield", oneOrTwo, 2_000_000, nsPerStep(2, yield)},
	{"fib", oneOrTwo, 24, ms(fib)},
	{"mutex", oneOrTwo, 2_000_000, nsPerStep(1, mutex)},
	{"timers", oneOrTwo, 1_000, timers},
	{"sleepers", oneOrTwo, 1_000_000, ms(sleepers)},
	{"idle", oneOrTwo, 1_000_000, idle},
	{"speedup", oneOrTwo, 64, speedup},
	{"chain", oneOrTwo, 100, ms(chain)},
	{"diagonal", oneOrTwo, 10, ms(diagonal)},
	{"fan-out", oneOrTwo, 100, ms(fanOut)},
	{"ping-pong", oneOrTwo, 100, ms(pairs)},
}

// nsPerStep measures what takes count times so many steps.
func nsPerStep(steps int, f func(count int)) func(int) []float64 {
	return func(count int) []float64 {
		begin := time.Now()
		f(count)
		return []float64{float64(time.Since(begin)) / float64(count*steps)}
	}
}

func ms(f func(count int)) func(int) []float64 {
	return func(count int) []float64 {
		begin := time.Now()
		f(count)
		return []float64{milliseconds(time.Since(begin))}
	}
}

func milliseconds(d time.Duration) float64 {
	return float64(d) / float64(time.Millisecond)
}

func fail(format string, args ...any) {
	quit(1, format, args...)
}

func quit(status int, format string, args ...any) {
	fmt.Fprintf(os.Stderr, "go: "+format+"\n", args...)
	os.Exit(status)
}

func positive(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		fail("%s is not a positive number", s)
	}
	return n
}

func list() {
	for _, w := range workloads {
		fmt.Print(w.name)
		for _, n := range w.workers {
			fmt.Print(" ", n)
		}
		fmt.Println()
	}
}

func find(name string) workload {
	for _, w := range workloads {
		if w.name == name {
			return w
		}
	}
	quit(77, "no workload %s", name)
	panic("unreachable")
}

func main() {
	args := os.Args[1:]
	if len(args) == 1 && args[0] == "list" {
		list()
		return
	}
	if len(args) < 2 || len(args) > 3 {
		fail("usage: go WORKLOAD WORKERS [COUNT], or go list")
	}
	w := find(args[0])
	workers := positive(args[1])
	if workers < w.workers[0] {
		quit(77, "%s needs %d workers", w.name, w.workers[0])
	}
	count := w.count
	if len(args) == 3 {
		count = positive(args[2])
	}

	runtime.GOMAXPROCS(workers)
	for i, figure := range w.run(count) {
		if i > 0 {
			fmt.Print(" ")
		}
		fmt.Printf("%.1f", figure)
	}
	fmt.Println()
}
