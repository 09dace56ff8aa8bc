// Workloads of channels, and of selects over them.
// SPDX-License-Identifier: MIT

package main

import (
	"runtime"
	"time"
)

func answer(in <-chan int, out chan<- int) {
	for x := range in {
		out <- x
	}
}

func ask(out chan<- int, in <-chan int, rounds int) {
	for i := 0; i < rounds; i++ {
		out <- i
		if x := <-in; x != i {
			fail("got %d back for %d", x, i)
		}
	}
	close(out)
}

func pingpong(rounds int) {
	ping, pong := make(chan int), make(chan int)
	go answer(ping, pong)
	ask(ping, pong, rounds)
}

// Each goroutine has a thread to itself.
func pingpongAcross(rounds int) {
	ping, pong := make(chan int), make(chan int)
	go func() {
		runtime.LockOSThread()
		answer(ping, pong)
	}()
	runtime.LockOSThread()
	ask(ping, pong, rounds)
}

// The token is the number of hops left.
func ring(hops int) {
	const size = 503
	type end struct{ place, token int }
	channels := make([]chan int, size)
	for i := range channels {
		channels[i] = make(chan int)
	}
	done := make(chan end)
	for i := range channels {
		go func(place int, in <-chan int, out chan<- int) {
			for token := range in {
				if token <= 1 {
					done <- end{place, token}
					return
				}
				out <- token - 1
			}
		}(i, channels[i], channels[(i+1)%size])
	}
	channels[0] <- hops
	if e := <-done; e != (end{(hops - 1) % size, 1}) {
		fail("the ring ended with %d at %d", e.token, e.place)
	}
}

const degree = 10

func skynetNode(out chan<- int, first, size int) {
	if size <= 1 {
		out <- first
		return
	}
	in := make(chan int)
	for i := 0; i < degree; i++ {
		go skynetNode(in, first+i*(size/degree), size/degree)
	}
	sum := 0
	for i := 0; i < degree; i++ {
		sum += <-in
	}
	out <- sum
}

func skynet(leaves int) {
	out := make(chan int)
	go skynetNode(out, 0, leaves)
	if sum := <-out; sum != leaves*(leaves-1)/2 {
		fail("skynet of %d gave %d", leaves, sum)
	}
}

// Room for the one result lets a call end without waiting for its caller.
func fibNode(n int, out chan<- int) {
	if n < 2 {
		out <- n
		return
	}
	a, b := make(chan int, 1), make(chan int, 1)
	go fibNode(n-1, a)
	go fibNode(n-2, b)
	out <- <-a + <-b
}

func fib(n int) {
	out := make(chan int, 1)
	go fibNode(n, out)
	a, b := 0, 1
	for i := 0; i < n; i++ {
		a, b = b, a+b
	}
	if x := <-out; x != a {
		fail("fib(%d) gave %d", n, x)
	}
}

func numbersFrom(n int, out chan<- int) {
	for ; ; n++ {
		out <- n
	}
}

func withoutMultiples(prime int, in <-chan int, out chan<- int) {
	for x := range in {
		if x%prime != 0 {
			out <- x
		}
	}
}

func sieve(count int) {
	numbers := make(chan int)
	go numbersFrom(2, numbers)
	primes := make([]int, count)
	for i := range primes {
		primes[i] = <-numbers
		rest := make(chan int)
		go withoutMultiples(primes[i], numbers, rest)
		numbers = rest
	}
	checkPrimes(primes)
}

func checkPrimes(primes []int) {
	x := 2
	for i, p := range primes {
		for !isPrime(x, primes[:i]) {
			x++
		}
		if p != x {
			fail("prime %d is %d, not %d", i, x, p)
		}
		x++
	}
}

func isPrime(x int, smaller []int) bool {
	for _, p := range smaller {
		if p*p > x {
			break
		}
		if x%p == 0 {
			return false
		}
	}
	return true
}

func choose(messages int) {
	var c [8]chan int
	for i := range c {
		c[i] = make(chan int)
		go numbersFrom(0, c[i])
	}
	var expected [8]int
	for n := 0; n < messages; n++ {
		var i, x int
		select {
		case x = <-c[0]:
			i = 0
		case x = <-c[1]:
			i = 1
		case x = <-c[2]:
			i = 2
		case x = <-c[3]:
			i = 3
		case x = <-c[4]:
			i = 4
		case x = <-c[5]:
			i = 5
		case x = <-c[6]:
			i = 6
		case x = <-c[7]:
			i = 7
		}
		if x != expected[i] {
			fail("channel %d gave %d, not %d", i, x, expected[i])
		}
		expected[i]++
	}
}

// One timer, set anew with Reset: time.After would leave a timer behind for each message.
func chooseOrTimeout(messages int) {
	c := make(chan int)
	go numbersFrom(0, c)
	timeout := time.NewTimer(time.Hour)
	timeout.Stop()
	for i := 0; i < messages; i++ {
		timeout.Reset(time.Second)
		select {
		case x := <-c:
			if x != i {
				fail("got %d, not %d", x, i)
			}
		case <-timeout.C:
			fail("timeout")
		}
		if !timeout.Stop() {
			<-timeout.C
		}
	}
}
