// Workloads of goroutines as such: spawning, yielding, locking, sleeping, computing.
// SPDX-License-Identifier: MIT

package main

import (
	"bufio"
	"fmt"
	"math/rand"
	"os"
	"runtime"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

func spawn(count int) {
	var wg sync.WaitGroup
	for i := 0; i < count; i++ {
		wg.Add(1)
		go func() {
			wg.Done()
		}()
	}
	wg.Wait()
}

func yieldOften(times int) {
	for i := 0; i < times; i++ {
		runtime.Gosched()
	}
}

func yield(times int) {
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		defer wg.Done()
		yieldOften(times)
	}()
	yieldOften(times)
	wg.Wait()
}

func mutex(locks int) {
	const lockers = 8
	var wg sync.WaitGroup
	var mu sync.Mutex
	counter := 0
	wg.Add(lockers)
	for i := 0; i < lockers; i++ {
		go func(share int) {
			defer wg.Done()
			for n := 0; n < share; n++ {
				mu.Lock()
				counter++
				mu.Unlock()
			}
		}((locks + i) / lockers)
	}
	wg.Wait()
	if counter != locks {
		fail("counted %d, not %d", counter, locks)
	}
}

func timers(count int) []float64 {
	const sleeps = 20
	var wg sync.WaitGroup
	random := rand.New(rand.NewSource(1))
	late := make([]time.Duration, count*sleeps)
	for i := range late {
		late[i] = time.Millisecond + time.Duration(random.Int63n(int64(99*time.Millisecond)))
	}
	wg.Add(count)
	for i := 0; i < count; i++ {
		go func(asked []time.Duration) {
			defer wg.Done()
			for n, d := range asked {
				begin := time.Now()
				time.Sleep(d)
				asked[n] = time.Since(begin) - d
			}
		}(late[i*sleeps : (i+1)*sleeps])
	}
	wg.Wait()
	sort.Slice(late, func(i, j int) bool { return late[i] < late[j] })
	if late[0] < 0 {
		fail("woke %v too early", -late[0])
	}
	us := func(percent int) float64 {
		return float64(late[len(late)*percent/100]) / float64(time.Microsecond)
	}
	return []float64{us(50), us(99)}
}

func sleepers(count int) {
	var wg sync.WaitGroup
	begin := time.Now()
	wg.Add(count)
	for i := 0; i < count; i++ {
		go func() {
			time.Sleep(time.Second)
			wg.Done()
		}()
	}
	wg.Wait()
	if time.Since(begin) < time.Second {
		fail("slept for less than 1 s")
	}
}

// residentBytes is what the process has in memory (VmRSS).
func residentBytes() int {
	file, err := os.Open("/proc/self/status")
	if err != nil {
		fail("%v", err)
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "VmRSS:") {
			var kib int
			if _, err := fmt.Sscanf(lines.Text(), "VmRSS: %d kB", &kib); err != nil {
				fail("%v", err)
			}
			return kib * 1024
		}
	}
	fail("no VmRSS in /proc/self/status")
	return 0
}

func idle(count int) []float64 {
	var started, woken sync.WaitGroup
	var sum atomic.Int64
	c := make(chan int)
	before := residentBytes()
	started.Add(count)
	woken.Add(count)
	for i := 0; i < count; i++ {
		go func() {
			started.Done()
			sum.Add(int64(<-c))
			woken.Done()
		}()
	}
	started.Wait()
	time.Sleep(100 * time.Millisecond) // for the last of them to get from starting to waiting
	grown := residentBytes() - before

	for i := 0; i < count; i++ {
		c <- i
	}
	woken.Wait()
	if got := sum.Load(); got != int64(count)*int64(count-1)/2 {
		fail("those that waited got %d in all", got)
	}
	return []float64{float64(grown) / float64(count)}
}

func multiplyAndAdd(rounds int) uint64 {
	x := uint64(1)
	for i := 0; i < rounds; i++ {
		x = x*6364136223846793005 + 1442695040888963407
	}
	return x
}

// roundsIn finds out how often the machine, undisturbed, multiplies and adds in a time.
func roundsIn(d time.Duration) int {
	const trial = 1_000_000
	best := time.Hour
	for i := 0; i < 20; i++ {
		begin := time.Now()
		runtime.KeepAlive(multiplyAndAdd(trial))
		if took := time.Since(begin); took < best {
			best = took
		}
	}
	return int(trial * d / best)
}

func speedup(fibers int) []float64 {
	rounds := roundsIn(20 * time.Millisecond)
	expected := multiplyAndAdd(rounds)
	var wg sync.WaitGroup
	begin := time.Now()
	wg.Add(fibers)
	for i := 0; i < fibers; i++ {
		go func() {
			defer wg.Done()
			if x := multiplyAndAdd(rounds); x != expected {
				fail("computed %d, not %d", x, expected)
			}
		}()
	}
	wg.Wait()
	return []float64{milliseconds(time.Since(begin))}
}
