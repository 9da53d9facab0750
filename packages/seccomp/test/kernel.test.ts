import { Task } from "@nearfar/core";
import { setNoNewPrivs } from "@nearfar/process";
import { expect, test } from "vitest";
import { calls } from "../src/calls.generated.ts";
import { type CallName, compileFilter, installFilter, type SeccompCondition, type SeccompRules } from "../src/index.ts";

/** Calls that take no argument and change nothing. The kernel ignores what is passed, and a filter sees it. */
const names = ["getuid", "geteuid", "getgid", "getegid", "getppid", "sched_yield"] as const satisfies CallName[];
const ops = ["==", "!=", "<", "<=", ">", ">="] as const;
const index = process.arch === "arm64" ? 1 : 0;
const ALL = 2n ** 64n - 1n;

/** Returns numbers that look random and are the same in each run (SplitMix64). */
function source(seed: bigint) {
	let state = seed;
	const next = () => {
		state = BigInt.asUintN(64, state + 0x9e37_79b9_7f4a_7c15n);
		let mixed = BigInt.asUintN(64, (state ^ (state >> 30n)) * 0xbf58_476d_1ce4_e5b9n);
		mixed = BigInt.asUintN(64, (mixed ^ (mixed >> 27n)) * 0x94d0_49bb_1331_11ebn);
		return mixed ^ (mixed >> 31n);
	};
	const below = (end: number) => Number(next() % BigInt(end));
	const of = <T>(list: readonly T[]): T => list[below(list.length)] as T;
	const edges = [0n, 1n, 5n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 32n + 5n, 2n ** 63n, ALL];
	const number = () => (below(6) === 0 ? next() : BigInt.asUintN(64, of(edges) + BigInt(below(3) - 1)));
	return { below, of, number };
}

type Source = ReturnType<typeof source>;

function randomRules({ below, of, number }: Source): SeccompRules {
	const condition = (): SeccompCondition => {
		const mask = of([ALL, ALL, 2n ** 32n - 1n, ALL ^ (2n ** 32n - 1n), number()]);
		return { index: below(6), op: of(ops), value: number() & mask, mask };
	};
	const many = <T>(most: number, make: () => T) => Array.from({ length: below(most + 1) }, make);
	const rules = many(12, () => ({
		calls: many(3, () => of(names)),
		args: many(3, condition),
		action: of(["allow" as const, { errno: 40 + below(50) }]),
	}));
	return { default: of(["allow" as const, "log" as const]), rules };
}

/** Returns the number of the error that the rules answer a call with; 0: the kernel makes the call. */
function decide({ rules = [] }: SeccompRules, name: CallName, args: readonly bigint[]): number {
	const holds = ({ index, op, value, mask = ALL }: SeccompCondition) => {
		const [left, right] = [(args[index] ?? 0n) & BigInt(mask), BigInt(value)];
		const outcomes = {
			"==": left === right,
			"!=": left !== right,
			"<": left < right,
			"<=": left <= right,
			">": left > right,
			">=": left >= right,
		};
		return outcomes[op];
	};
	const rule = rules.find(({ calls, args = [] }) => calls.includes(name) && args.every(holds));
	return typeof rule?.action === "object" && "errno" in rule.action ? Number(rule.action.errno) : 0;
}

test("the kernel decides random calls as the rules say", async () => {
	const random = source(1n);
	let refused = 0;
	for (let round = 0; round < 40; round++) {
		const rules = randomRules(random);
		await using task = await Task.clone();
		task.run(() => {
			setNoNewPrivs();
			installFilter(rules);
		});
		for (let count = 0; count < 250; count++) {
			const name = random.of(names);
			const args = Array.from({ length: 6 }, random.number);
			const expected = decide(rules, name, args);
			let errno = 0;
			try {
				task.syscall(calls[name][index], ...args);
			} catch (error) {
				errno = -((error as NodeJS.ErrnoException).errno ?? 0);
			}
			if (expected > 0) refused++;
			expect(
				{ name, args, errno },
				JSON.stringify(rules, (_, value) => (typeof value === "bigint" ? `${value}` : value)),
			).toEqual({ name, args, errno: expected });
		}
	}
	expect(refused).toBeGreaterThan(500);
});

test("the kernel takes filters of every length up to 4096 instructions", async () => {
	await using task = await Task.clone();
	task.run(() => setNoNewPrivs());
	const lengths = [1, 60, 125, 126, 127, 128, 129, 250, 1000, 1355].map((count) => {
		const filter = compileFilter({
			default: "allow",
			rules: Array.from({ length: count }, (_, value) => ({
				calls: ["getuid"],
				args: [{ index: 5, op: "==", value, mask: 0xffff_ffff }],
				action: { errno: 1 + (value % 4000) },
			})),
		});
		task.run(() => installFilter(filter));
		return filter.length / 8;
	});
	expect(Math.max(...lengths)).toBeGreaterThan(4000);
	// A later filter has the same answers, and of equal answers that of the last filter counts.
	for (const value of [0, 1, 59, 127, 999, 1354]) {
		expect(() => task.syscall(calls.getuid[index], 0, 0, 0, 0, 0, value)).toThrowError(
			expect.objectContaining({ errno: -(1 + value) }),
		);
	}
	expect(task.syscall(calls.getuid[index], 0, 0, 0, 0, 0, 1355)).toBeGreaterThanOrEqual(0n);
});
