import { dropCapabilities } from "@nearfar/caps";
import { mkdir, mknod, openat2, Task } from "@nearfar/core";
import { numberOf } from "@nearfar/core/internal";
import { tmpfs } from "@nearfar/mount";
import { setTimeOffsets, timeOffsets, unshare } from "@nearfar/namespaces";
import { getDumpable, setDumpable } from "@nearfar/process";
import { expect, test } from "vitest";
import { needs } from "../../../test/needs.ts";
import { refusal } from "../../../test/refusal.ts";
import { forbid } from "../../../test/seccomp.ts";
import { arm64 } from "./tasks.ts";

const second = 1_000_000_000n;
const path = "/proc/self/timens_offsets";
const [SYS_openat2, EMFILE] = [437, 24];
const root = { namespaces: ["user"], idMap: "root" } as const;
const { describe } = needs("time namespaces");

/** Returns what CLOCK_BOOTTIME says in a task, in nanoseconds. */
function boottimeIn(task: Pick<Task, "syscall">): bigint {
	const [SYS_clock_gettime, CLOCK_BOOTTIME] = [arm64 ? 113 : 228, 7];
	const time = Buffer.alloc(16);
	task.syscall(SYS_clock_gettime, CLOCK_BOOTTIME, time);
	return time.readBigInt64LE(0) * second + time.readBigInt64LE(8);
}

/** Makes a task that has a new time namespace for its children. */
async function owner(): Promise<Task> {
	const task = await Task.clone(root);
	task.run(() => unshare(["time"]));
	return task;
}

describe("time offsets", () => {
	test("NST-40 the children have the offsets, and after the first child they are EACCES", async () => {
		await using task = await owner();
		task.run(() => setTimeOffsets({ boottimeNs: 100n * second }));
		expect(task.run(timeOffsets)).toEqual({ monotonicNs: 0n, boottimeNs: 100n * second });
		await using child = await task.clone();
		const before = boottimeIn(Task.near);
		const inside = boottimeIn(child) - 100n * second;
		expect(inside).toBeGreaterThanOrEqual(before);
		expect(inside).toBeLessThanOrEqual(boottimeIn(Task.near));
		expect(boottimeIn(task)).toBeLessThanOrEqual(boottimeIn(Task.near)); // the task itself keeps its clocks
		expect(child.run(timeOffsets).boottimeNs).toBe(100n * second);
		const refused = task.run(() => refusal(() => setTimeOffsets({ boottimeNs: 1 })));
		expect(refused).toMatchObject({ code: "EACCES", syscall: "write", path });
	});

	needs("Linux 6.2").test("the program that the task executes has the offsets", async () => {
		await using task = await owner();
		task.run(() => setTimeOffsets({ boottimeNs: 400n * 86_400n * second }));
		const script = "IFS=. read up rest < /proc/uptime; test $up -gt 34560000";
		await task.exec("sh", ["sh", "-c", script]).check();
	});

	test("util-linux #2354: negative offsets and fractions are as they were given", async () => {
		await using task = await owner();
		const set = (offsets: Parameters<typeof setTimeOffsets>[0]) => task.run(() => setTimeOffsets(offsets));
		set({ monotonicNs: 5, boottimeNs: -1 });
		expect(task.run(timeOffsets)).toEqual({ monotonicNs: 5n, boottimeNs: -1n });
		set({ monotonicNs: -second - 1n }); // the other clock keeps its offset
		expect(task.run(timeOffsets)).toEqual({ monotonicNs: -second - 1n, boottimeNs: -1n });
		set({ boottimeNs: 3n * second + 999_999_999n });
		expect(task.run(timeOffsets)).toEqual({ monotonicNs: -second - 1n, boottimeNs: 3_999_999_999n });
		set({ monotonicNs: 0, boottimeNs: 0n });
		expect(task.run(timeOffsets)).toEqual({ monotonicNs: 0n, boottimeNs: 0n });
	});

	test("util-linux #974: a clock below zero or beyond 146 years is ERANGE, and neither offset changes", async () => {
		await using task = await owner();
		const most = 2n ** 63n;
		for (const offset of [-most, most - 1n, 147n * 365n * 86_400n * second, -boottimeIn(task) - 10n * second]) {
			const refused = task.run(() => refusal(() => setTimeOffsets({ monotonicNs: 1, boottimeNs: offset })));
			expect(refused).toMatchObject({ code: "ERANGE", syscall: "write", path });
		}
		expect(task.run(timeOffsets)).toEqual({ monotonicNs: 0n, boottimeNs: 0n });
	});

	test("runc #3876: offsets without a new time namespace are EACCES or EPERM, and never dropped", async () => {
		await using task = await Task.clone(root);
		const refused = task.run(() => refusal(() => setTimeOffsets({ boottimeNs: 1 })));
		expect(refused).toMatchObject({ code: expect.stringMatching(/^(EACCES|EPERM)$/), syscall: "write", path });
	});

	test("a task that was cloned with a time namespace is in it at once: EACCES", async () => {
		await using task = await Task.clone({ namespaces: ["user", "time"], idMap: "root" });
		const refused = task.run(() => refusal(() => setTimeOffsets({ boottimeNs: 1 })));
		expect(refused).toMatchObject({ code: "EACCES", syscall: "write", path });
	});

	test("setting offsets without CAP_SYS_TIME is EPERM", async () => {
		await using task = await owner();
		task.run(() => dropCapabilities());
		const refused = task.run(() => refusal(() => setTimeOffsets({ boottimeNs: 1 })));
		expect(refused).toMatchObject({ code: "EPERM", syscall: "write", path });
	});

	test("a batch makes the namespace and sets its offsets", async () => {
		await using task = await Task.clone(root);
		await task.batch(() => {
			unshare(["time"]);
			setTimeOffsets({ monotonicNs: 7n, boottimeNs: -7n });
		});
		expect(task.run(timeOffsets)).toEqual({ monotonicNs: 7n, boottimeNs: -7n });
		expect(task.run(getDumpable)).toBe(false);
		await expect(task.batch(timeOffsets)).rejects.toMatchObject({ code: "ERR_NEARFAR_BATCH" });
	});

	test.each(["file", "fifo"] as const)(
		"a batch neither writes nor waits where /proc has a %s instead",
		async (type) => {
			await using task = await Task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
			task.run(() => {
				tmpfs("/proc");
				mkdir("/proc/self");
				mknod("/proc/self/timens_offsets", type);
			});
			const refused = task.batch(() => {
				unshare(["time"]);
				setTimeOffsets({ boottimeNs: 1 });
			});
			await expect(refused).rejects.toMatchObject({ code: "ENOENT", syscall: "openat2" });
		},
	);

	test("a batch whose offsets are refused fails, and leaves the task as dumpable as before", async () => {
		await using task = await Task.clone(root);
		const refused = task.batch(() => setTimeOffsets({ boottimeNs: 1 }));
		await expect(refused).rejects.toMatchObject({ code: expect.stringMatching(/^(EACCES|EPERM)$/), syscall: "write" });
		expect(task.run(getDumpable)).toBe(false);
		task.run(() => unshare(["time"]));
		// The directory of the file is opened before the batch, while the one of /proc has the lowest free number.
		const folder = task.run(() => {
			using lowest = openat2("/dev/null");
			return numberOf(lowest) + 1;
		});
		forbid(task, SYS_openat2, EMFILE, folder);
		const unopened = task.batch(() => setTimeOffsets({ boottimeNs: 1 }));
		await expect(unopened).rejects.toMatchObject({ code: "EMFILE", syscall: "openat2", step: 1 });
		expect(task.run(getDumpable)).toBe(false);
	});

	test("setTimeOffsets leaves the task as dumpable as it was", async () => {
		await using task = await owner();
		for (const dumpable of [false, true]) {
			task.run(() => setDumpable(dumpable));
			task.run(() => setTimeOffsets({ boottimeNs: 1 }));
			expect(task.run(getDumpable)).toBe(dumpable);
		}
	});

	test("near, setTimeOffsets is refused before the kernel is asked, also in a batch", async () => {
		expect(refusal(() => setTimeOffsets({ boottimeNs: 1 })).code).toBe("ERR_NEARFAR_MULTITHREADED");
		const batch = Task.near.batch(() => setTimeOffsets({ boottimeNs: 1 }));
		await expect(batch).rejects.toMatchObject({ code: "ERR_NEARFAR_MULTITHREADED" });
	});

	needs("root").test("in a thread of Node, setTimeOffsets is refused", async () => {
		await using thread = await Task.thread();
		const refused = thread.run(() => refusal(() => setTimeOffsets({ boottimeNs: 1 })));
		expect(refused.code).toBe("ERR_NEARFAR_MULTITHREADED");
	});

	test("near, timeOffsets are those of this process", () => {
		using file = openat2(path);
		const [, shown] = /^boottime\s+(-?\d+)/m.exec(file.read(256).toString()) ?? [];
		expect(timeOffsets().boottimeNs / second).toBe(BigInt(shown ?? 0));
	});
});

test("wrong time offsets reach no kernel", () => {
	const code = (offsets: unknown) => refusal(() => setTimeOffsets(offsets as never)).code;
	expect(code(undefined)).toBe("ERR_INVALID_ARG_TYPE");
	expect(code(5)).toBe("ERR_INVALID_ARG_TYPE");
	expect(code({})).toBe("ERR_INVALID_ARG_VALUE");
	expect(code({ monotonic: 5 })).toBe("ERR_INVALID_ARG_VALUE");
	expect(code({ monotonicNs: "5" })).toBe("ERR_INVALID_ARG_TYPE");
	expect(code({ monotonicNs: 0.5 })).toBe("ERR_OUT_OF_RANGE");
	expect(code({ monotonicNs: 2 ** 60 })).toBe("ERR_OUT_OF_RANGE");
	expect(code({ boottimeNs: 2n ** 63n })).toBe("ERR_OUT_OF_RANGE");
	expect(code({ boottimeNs: -(2n ** 63n) - 1n })).toBe("ERR_OUT_OF_RANGE");
});
