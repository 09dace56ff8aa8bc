(* Workloads of Concurrent ML that are mostly about messages.
   SPDX-License-Identifier: MIT *)
structure Messages = struct

open CML Bench

fun ask (ping, pong, count) =
      let
        fun loop i =
              if i = count then ()
              else (
                send (ping, i);
                check (recv pong = i, "a wrong answer");
                loop (i + 1))
      in
        loop 0
      end

fun answer (ping, pong) = (send (pong, recv ping); answer (ping, pong))

fun pingpong count =
      let
        val (ping, pong) = (channel (), channel ())
      in
        spawn (fn () => answer (ping, pong));
        ask (ping, pong, count)
      end

fun pingPong pairs =
      let
        fun pair () =
              let
                val both = channel ()
              in
                spawn (fn () => answer (both, both));
                CML.spawn (fn () => ask (both, both, 10000))
              end
      in
        join (List.tabulate (pairs, fn _ => pair ()))
      end

fun ring hops =
      let
        val members = channels 503
        val last = channel ()
        fun member i =
              let
                val (inp, out) = (Vector.sub (members, i), Vector.sub (members, (i + 1) mod 503))
                fun loop () =
                      case recv inp of
                        0 => send (last, i)
                      | hops => (send (out, hops - 1); loop ())
              in
                spawn loop
              end
      in
        Vector.appi (fn (i, _) => member i) members;
        send (Vector.sub (members, 0), hops);
        check (recv last = hops mod 503, "the token is elsewhere")
      end

fun countUp (out, n) = (send (out, n); countUp (out, n + 1))

fun isPrime n =
      let
        fun try d = d * d > n orelse (n mod d <> 0 andalso try (d + 1))
      in
        try 2
      end

fun nextPrime n = if isPrime n then n else nextPrime (n + 1)

fun filter (prime, inp) =
      let
        val out = channel ()
        fun loop () =
              let
                val n = recv inp
              in
                if n mod prime <> 0 then send (out, n) else ();
                loop ()
              end
      in
        spawn loop;
        out
      end

fun sieve count =
      let
        fun primes (0, _, _) = ()
          | primes (left, last, inp) =
              let
                val prime = recv inp
              in
                check (prime = nextPrime (last + 1), "a wrong prime");
                primes (left - 1, prime, filter (prime, inp))
              end
        val numbers = channel ()
      in
        spawn (fn () => countUp (numbers, 2));
        primes (count, 1, numbers)
      end

fun choice count =
      let
        val producers = channels 8
        val next = Array.array (8, 0)
        fun get (i, c) =
              wrap (recvEvt c, fn n => (
                check (n = Array.sub (next, i), "a lost message");
                Array.update (next, i, n + 1)))
        val any = choose (Vector.foldri (fn (i, c, events) => get (i, c) :: events) [] producers)
      in
        Vector.app (fn c => spawn (fn () => countUp (c, 0))) producers;
        times (count, fn () => sync any)
      end

fun choiceOrTimeout count =
      let
        val c = channel ()
        val either = choose [
              wrap (recvEvt c, SOME),
              wrap (timeOutEvt (Time.fromSeconds 1), fn () => NONE)]
        fun loop i =
              if i = count then ()
              else (check (sync either = SOME i, "a lost message"); loop (i + 1))
      in
        spawn (fn () => countUp (c, 0));
        loop 0
      end

fun chain links =
      let
        val first = channel ()
        fun link (0, inp) = inp
          | link (left, inp) =
              let
                val out = channel ()
              in
                spawn (fn () => answer (inp, out));
                link (left - 1, out)
              end
        val last = (spawn (fn () => countUp (first, 0)); link (links, first))
        fun loop 10000 = ()
          | loop i = (check (recv last = i, "a wrong message"); loop (i + 1))
      in
        loop 0
      end

(* Of reals, as an int has 31 bits. *)
fun diagonal dimensions =
      let
        fun stage step =
              let
                val out : real chan = channel ()
                fun loop () = (step out; loop ())
              in
                spawn loop;
                out
              end
        val numbers = channel ()
        val dims = List.tabulate (dimensions, fn _ => channel ())
        fun broadcast () =
              let
                val n = recv numbers
              in
                app (fn out => send (out, n)) dims;
                broadcast ()
              end
        fun count n = (send (numbers, n); count (n + 1.0))
        fun square inp = stage (fn out => let val n = recv inp in send (out, n * n) end)
        val squares = (spawn (fn () => count 0.0); spawn broadcast; map square dims)
        val sums = stage (fn out =>
              send (out, foldl (fn (inp, sum) => sum + recv inp) 0.0 squares))
        val lengths = stage (fn out => send (out, Math.sqrt (recv sums)))
        fun loop 20000 = ()
          | loop i =
              let
                val expected = Math.sqrt (real dimensions * real i * real i)
              in
                check (Real.== (recv lengths, expected), "a wrong length");
                loop (i + 1)
              end
      in
        loop 0
      end

fun fanOut degree =
      let
        val count = 200000
        val c = channel ()
        val got = Array.array (count, false)
        fun get () =
              case recv c of
                ~1 => ()
              | n => (Array.update (got, n, true); get ())
        fun put i = if i = count then () else (send (c, i); put (i + 1))
        val getters = List.tabulate (degree, fn _ => CML.spawn get)
      in
        put 0;
        times (degree, fn () => send (c, ~1));
        join getters;
        check (Array.all (fn x => x) got, "a lost message")
      end

end
