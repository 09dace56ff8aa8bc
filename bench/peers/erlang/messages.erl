%% Workloads of Erlang that are mostly about messages.
%% SPDX-License-Identifier: MIT
-module(messages).
-export([pingpong/1, ring/1, sieve/1, select/1, select_timeout/1]).
-export([chain/1, diagonal/1, fan_out/1, ping_pong/1]).

pingpong(Count) ->
    ask(spawn(fun answer/0), 0, Count).

ask(_, Count, Count) ->
    ok;
ask(Pid, N, Count) ->
    Pid ! {self(), N},
    receive Answer -> bench:check(Answer =:= N, "a wrong answer") end,
    ask(Pid, N + 1, Count).

answer() ->
    receive {From, N} -> From ! N end,
    answer().

ping_pong(Pairs) ->
    Self = self(),
    bench:times(Pairs, fun() ->
        spawn(fun() -> ask(spawn(fun answer/0), 0, 10000), Self ! done end)
    end),
    bench:wait_for(Pairs).

%% The members get to know the next one by a message; the last one's next is the first.
ring(Hops) ->
    Self = self(),
    Members = [spawn(fun() -> join_ring(Self) end) || _ <- lists:seq(1, 503)],
    lists:zipwith(fun(Member, Next) -> Member ! {next, Next} end,
                  Members, tl(Members) ++ [hd(Members)]),
    hd(Members) ! Hops,
    Expected = lists:nth(Hops rem 503 + 1, Members),
    receive {last, Last} -> bench:check(Last =:= Expected, "the token is elsewhere") end.

join_ring(Parent) ->
    receive {next, Next} -> pass_token(Next, Parent) end.

pass_token(Next, Parent) ->
    receive
        0 -> Parent ! {last, self()};
        Hops -> Next ! Hops - 1, pass_token(Next, Parent)
    end.

%% Nothing holds a sender back, so the numbers end where there are surely enough primes.
sieve(Count) ->
    Self = self(),
    Size = max(Count, 6),
    End = ceil(Size * (math:log(Size) + math:log(math:log(Size)))),
    First = spawn(fun() -> filter(Self) end),
    spawn(fun() -> count_up(First, 2, End) end),
    primes(Count, 1).

filter(Parent) ->
    receive
        Prime ->
            Parent ! {prime, Prime},
            filter(Prime, spawn(fun() -> filter(Parent) end))
    end.

filter(Prime, Next) ->
    receive
        N when N rem Prime =/= 0 -> Next ! N, filter(Prime, Next);
        _ -> filter(Prime, Next)
    end.

primes(0, _) ->
    ok;
primes(Count, Last) ->
    Expected = next_prime(Last + 1),
    receive {prime, Prime} -> bench:check(Prime =:= Expected, "a wrong prime") end,
    primes(Count - 1, Prime).

next_prime(N) ->
    case is_prime(N, 2) of
        true -> N;
        false -> next_prime(N + 1)
    end.

is_prime(N, D) when D * D > N -> true;
is_prime(N, D) when N rem D =:= 0 -> false;
is_prime(N, D) -> is_prime(N, D + 1).

count_up(_, End, End) ->
    ok;
count_up(Pid, N, End) ->
    Pid ! N,
    count_up(Pid, N + 1, End).

select(Count) ->
    Self = self(),
    [spawn(fun() -> produce(Self, Channel, 0, (Count + 8 - Channel) div 8) end)
     || Channel <- lists:seq(1, 8)],
    choose(Count, {0, 0, 0, 0, 0, 0, 0, 0}).

produce(_, _, Count, Count) ->
    ok;
produce(Pid, Channel, N, Count) ->
    Pid ! {Channel, N},
    produce(Pid, Channel, N + 1, Count).

choose(0, _) ->
    ok;
choose(Count, Next) ->
    receive
        {Channel, N} ->
            bench:check(N =:= element(Channel, Next), "a lost message"),
            choose(Count - 1, setelement(Channel, Next, N + 1))
    end.

%% The producer waits until its message was received: else there would be nothing to wait for.
select_timeout(Count) ->
    Self = self(),
    spawn(fun() -> put_each(Self, 0, Count) end),
    get_each(0, Count).

put_each(_, Count, Count) ->
    ok;
put_each(Pid, N, Count) ->
    Pid ! {put, self(), N},
    receive got -> put_each(Pid, N + 1, Count) end.

get_each(Count, Count) ->
    ok;
get_each(N, Count) ->
    receive
        {put, From, Value} ->
            bench:check(Value =:= N, "a lost message"),
            From ! got,
            get_each(N + 1, Count)
    after 1000 ->
        bench:check(false, "timed out")
    end.

chain(Links) ->
    Self = self(),
    First = lists:foldl(fun(_, Next) -> spawn(fun() -> pass_on(Next) end) end,
                        Self, lists:seq(1, Links)),
    spawn(fun() -> count_up(First, 0, 10000) end),
    get_numbers(0, 10000).

pass_on(Next) ->
    receive Message -> Next ! Message end,
    pass_on(Next).

get_numbers(Count, Count) ->
    ok;
get_numbers(N, Count) ->
    receive Got -> bench:check(Got =:= N, "a wrong message") end,
    get_numbers(N + 1, Count).

diagonal(Dimensions) ->
    Self = self(),
    Root = spawn(fun() -> root(Self) end),
    Add = spawn(fun() -> add(Root, Dimensions, #{}) end),
    Squarers = [spawn(fun() -> square(Add) end) || _ <- lists:seq(1, Dimensions)],
    Broadcaster = spawn(fun() -> broadcast(Squarers) end),
    spawn(fun() -> count_up(Broadcaster, 0, 20000) end),
    lengths(0, 20000, Dimensions).

broadcast(Squarers) ->
    receive N -> [Squarer ! N || Squarer <- Squarers] end,
    broadcast(Squarers).

square(Add) ->
    receive N -> Add ! {N, N * N} end,
    square(Add).

%% Squares of a number wait here for those that are still to come.
add(Root, Dimensions, Sums) ->
    receive
        {N, Square} ->
            case Sums of
                #{N := {Left, Sum}} when Left > 1 ->
                    add(Root, Dimensions, Sums#{N := {Left - 1, Sum + Square}});
                #{N := {1, Sum}} ->
                    Root ! Sum + Square,
                    add(Root, Dimensions, maps:remove(N, Sums));
                #{} when Dimensions > 1 ->
                    add(Root, Dimensions, Sums#{N => {Dimensions - 1, Square}});
                #{} ->
                    Root ! Square,
                    add(Root, Dimensions, Sums)
            end
    end.

root(Pid) ->
    receive N -> Pid ! math:sqrt(N) end,
    root(Pid).

lengths(Count, Count, _) ->
    ok;
lengths(N, Count, Dimensions) ->
    Expected = math:sqrt(Dimensions * N * N),
    receive Length -> bench:check(Length =:= Expected, "a wrong length") end,
    lengths(N + 1, Count, Dimensions).

%% A mailbox has one reader, so the messages go to the getters in turn.
fan_out(Degree) ->
    Self = self(),
    Count = 200000,
    Getters = [spawn(fun() -> add_up(Self, 0) end) || _ <- lists:seq(1, Degree)],
    deal(Getters, Getters, 0, Count),
    [Getter ! done || Getter <- Getters],
    Sum = lists:sum([receive {sum, Sum} -> Sum end || _ <- Getters]),
    bench:check(Sum =:= Count * (Count - 1) div 2, "a lost message").

deal(_, _, Count, Count) ->
    ok;
deal([], Getters, N, Count) ->
    deal(Getters, Getters, N, Count);
deal([Getter | Rest], Getters, N, Count) ->
    Getter ! N,
    deal(Rest, Getters, N + 1, Count).

add_up(Parent, Sum) ->
    receive
        done -> Parent ! {sum, Sum};
        N -> add_up(Parent, Sum + N)
    end.
