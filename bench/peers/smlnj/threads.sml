(* Workloads of Concurrent ML that are mostly about threads.
   SPDX-License-Identifier: MIT *)
structure Threads = struct

open CML Bench

(* A thread is preempted only where it allocates, so a plain counter is safe. *)
fun spawnMany count =
      let
        val left = ref count
        val all = SyncVar.iVar ()
        fun finish () = (
              left := !left - 1;
              if !left = 0 then SyncVar.iPut (all, ()) else ())
      in
        times (count, fn () => spawn finish);
        SyncVar.iGet all
      end

(* Of reals, as an int has 31 bits. *)
fun skynet count =
      let
        fun node (parent, number, 1) = send (parent, real number)
          | node (parent, number, size) =
              let
                val sums = channel ()
                val part = size div 10
                fun spawnAll 10 = ()
                  | spawnAll i = (
                      spawn (fn () => node (sums, number + i * part, part));
                      spawnAll (i + 1))
                fun add (0, sum) = sum
                  | add (left, sum) = add (left - 1, sum + recv sums)
              in
                spawnAll 0;
                send (parent, add (10, 0.0))
              end
        val sum = channel ()
        val expected = real count * (real count - 1.0) / 2.0
      in
        spawn (fn () => node (sum, 0, count));
        check (Real.== (recv sum, expected), "a wrong sum")
      end

fun yieldOften count =
      let
        fun loop () = times (count, yield)
      in
        join [CML.spawn loop, CML.spawn loop]
      end

fun fib count =
      let
        fun call (n, result) =
              if n < 2 then send (result, n)
              else
                let
                  val results = channel ()
                in
                  spawn (fn () => call (n - 1, results));
                  spawn (fn () => call (n - 2, results));
                  send (result, recv results + recv results)
                end
        fun plain (0, a, _) = a
          | plain (n, a, b) = plain (n - 1, b, a + b)
        val result = channel ()
      in
        spawn (fn () => call (count, result));
        check (recv result = plain (count, 0, 1), "a wrong number")
      end

(* An M-variable is what is locked with here. *)
fun mutex count =
      let
        val lock = SyncVar.mVarInit ()
        val n = ref 0
        fun increment () = (
              SyncVar.mTake lock;
              n := !n + 1;
              SyncVar.mPut (lock, ()))
        fun turns i = (count + i) div 8
      in
        join (List.tabulate (8, fn i => CML.spawn (fn () => times (turns i, increment))));
        check (!n = count, "a lost increment")
      end

fun timers count =
      let
        val late = ref []
        fun nap (0, _) = ()
          | nap (left, random) =
              let
                val random = random * 0w1103515245 + 0w12345
                val us = 1000 + Word.toInt (Word.>> (random, 0w8) mod 0w99000)
                val asked = timeOutEvt (Time.fromMicroseconds (Int.toLarge us))
                val took = seconds (fn () => sync asked)
              in
                late := took * 1E6 - real us :: !late;
                nap (left - 1, random)
              end
        fun sleeper i = CML.spawn (fn () => nap (20, Word.fromInt i))
        val sorted = (
              join (List.tabulate (count, sleeper));
              Vector.fromList (ListMergeSort.sort Real.> (!late)))
      in
        check (Vector.sub (sorted, 0) > ~2000.0, "woken too early"); (* than CML's clock ticks *)
        map (fn percent => Vector.sub (sorted, Vector.length sorted * percent div 100)) [50, 99]
      end

fun residentBytes () =
      let
        val status = TextIO.openIn "/proc/self/status"
        fun find () =
              case TextIO.inputLine status of
                NONE => raise Fail "no VmRSS"
              | SOME line =>
                  if String.isPrefix "VmRSS:" line
                  then valOf (Real.fromString (String.extract (line, 6, NONE))) * 1024.0
                  else find ()
      in
        find () before TextIO.closeIn status
      end

fun idle count =
      let
        val c = channel ()
        val start = residentBytes ()
        val () = times (count, fn () => spawn (fn () => recv c))
        val growth = residentBytes () - start
      in
        times (count, fn () => send (c, ()));
        [growth / real count]
      end

(* How many steps take 20 ms is measured first. *)
fun speedup count =
      let
        fun compute (x, 0) = x
          | compute (x : Word64.word, steps) =
              compute (x * 0w6364136223846793005 + 0w1442695040888963407, steps - 1)
        fun trial _ = seconds (fn () => check (compute (0w1, 100000) <> 0w0, "a wrong result"))
        val shortest = foldl Real.min 1.0 (List.tabulate (5, trial))
        val steps = round (100000.0 * 0.02 / shortest)
        val expected = compute (0w1, steps)
        fun once () = check (compute (0w1, steps) = expected, "a wrong result")
      in
        [1000.0 * seconds (fn () => join (List.tabulate (count, fn _ => CML.spawn once)))]
      end

end
