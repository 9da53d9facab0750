import { readFileSync } from "node:fs";
import { expect } from "vitest";
import { needs } from "../../../test/needs.ts";
import { reason } from "../../../test/reason.ts";
import { parsePressure } from "../src/pressure.ts";
import { inGroup, start } from "./group.ts";

const { test } = needs("a cgroup in which this user can make groups", "pressure of a cgroup");
const often = { stall: 50, window: 2000 };

test("has a value when the processes have waited long", () =>
	inGroup(async (group) => {
		const [cpu = "0"] = /^Cpus_allowed_list:\s*(\d+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.slice(1) ?? [];
		const loop = group.pressure("cpu", often)[Symbol.asyncIterator]();
		const first = loop.next();
		const busy = ["taskset", "-c", cpu, "sh", "-c", "while :; do :; done"] as const;
		const children = await Promise.all([1, 2, 3].map(() => start(group, ...busy)));
		const { value } = await first;
		expect(value.some.total).toBeGreaterThan(often.stall);
		const second = loop.next();
		expect((await second).value.some.total).toBeGreaterThan(value.some.total);
		await group.remove();
		expect(await loop.next()).toMatchObject({ done: true });
		await Promise.all(children.map(({ exited }) => exited));
	}));

test("two loops have triggers of their own; the signal and return end them", () =>
	inGroup(async (group) => {
		const control = new AbortController();
		const trigger = { ...often, kind: "full", signal: control.signal } as const;
		const loops = [1, 2].map(() => group.pressure("memory", trigger)[Symbol.asyncIterator]());
		const waiting = loops.map((loop) => loop.next());
		await loops[0]?.return?.();
		control.abort();
		for (const wait of waiting) expect(await wait).toMatchObject({ done: true });
	}));

test("a loop says so when the directory is removed by another program", () =>
	inGroup(async (group) => {
		await using inner = group.create("inner");
		const loop = inner.pressure("io", often)[Symbol.asyncIterator]();
		const wait = reason(() => loop.next());
		const { rmdirSync } = await import("node:fs");
		rmdirSync(`/proc/self/fd/${group.fd.fd}/inner`);
		expect(await wait).toMatchObject({ code: "ERR_NEARFAR_CGROUP", reason: "removed" });
	}));

test.each([
	[{ stall: 0, window: 2000 }, RangeError],
	[{ stall: 2001, window: 2000 }, RangeError],
	[{ stall: 1, window: 499 }, RangeError],
	[{ stall: 1, window: 10_001 }, RangeError],
	[{ stall: 0.5, window: 2000 }, RangeError],
	[{ stall: 1, window: 2000, kind: "none" }, TypeError],
	[{ stall: "1", window: 2000 }, TypeError],
	[undefined, TypeError],
])("refuses the trigger %j", (trigger, type) =>
	inGroup(async (group) => {
		expect(() => group.pressure("cpu", trigger as never)).toThrow(type);
	}),
);

test("refuses another resource", () =>
	inGroup(async (group) => {
		expect(() => group.pressure("disk" as never, often)).toThrow(TypeError);
	}));

const ordinary = needs("a cgroup in which this user can make groups", "pressure of a cgroup", "an ordinary user");

ordinary.test("an ordinary user's window is a multiple of 2 s", () =>
	inGroup(async (group) => {
		const loop = group.pressure("cpu", { stall: 50, window: 1000 })[Symbol.asyncIterator]();
		expect(await reason(() => loop.next())).toMatchObject({ code: "EINVAL", hint: expect.stringContaining("2000") });
	}),
);

ordinary.test("the delegated directory itself is EACCES", () =>
	inGroup(async (group) => {
		const loop = group.parent?.pressure("cpu", often)[Symbol.asyncIterator]();
		expect(await reason(() => loop?.next())).toMatchObject({ code: "EACCES" });
	}),
);

test("reads the text of the kernel", () => {
	const text =
		"some avg10=1.50 avg60=0.25 avg300=0.01 total=12345\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=1000\n";
	expect(parsePressure(text)).toEqual({
		some: { avg10: 1.5, avg60: 0.25, avg300: 0.01, total: 12.345 },
		full: { avg10: 0, avg60: 0, avg300: 0, total: 1 },
	});
});
