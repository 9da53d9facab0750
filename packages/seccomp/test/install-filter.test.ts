import { type Process, Task } from "@nearfar/core";
import { setNoNewPrivs } from "@nearfar/process";
import { expect, test } from "vitest";
import { becomeOrdinary } from "../../../test/ordinary.ts";
import { refusal } from "../../../test/refusal.ts";
import { calls } from "../src/calls.generated.ts";
import { type CallName, compileFilter, installFilter, type SeccompAction, type SeccompRules } from "../src/index.ts";

const index = process.arch === "arm64" ? 1 : 0;
const syscall = "seccomp";

/** Makes a call without side effect in a task. Its arguments are none of the kernel's, but a filter sees them. */
function call(task: Task<Process>, name: CallName, ...args: (number | bigint)[]): bigint {
	return task.syscall(calls[name][index], ...args) as bigint; // no batch
}

/** Clones a task that may install filters, as root and as an ordinary user. */
async function clone(): Promise<Task> {
	const task = await Task.clone();
	task.run(() => setNoNewPrivs());
	return task;
}

function refuse(name: CallName, action: SeccompAction = { errno: "EPERM" }): SeccompRules {
	return { default: "allow", rules: [{ calls: [name], action }] };
}

test("a filter holds in the task, in what the task executes, and nowhere else", async () => {
	await using task = await clone();
	task.run(() => installFilter(refuse("getuid")));
	expect(refusal(() => call(task, "getuid")).code).toBe("EPERM");
	expect(Task.near.syscall(calls.getuid[index])).toBe(BigInt(process.getuid?.() ?? -1));
	const child = task.exec("sh", ["sh", "-c", 'grep -q "^Seccomp:.*2" /proc/self/status']);
	expect(await child.exited).toMatchObject({ code: 0 });
});

test("a filter is installed in a batch, and counts for the calls after it", async () => {
	await using task = await Task.clone();
	await task.batch(() => {
		setNoNewPrivs();
		installFilter(refuse("umask", { errno: 99 }));
	});
	expect(refusal(() => call(task, "umask", 0)).errno).toBe(-99);
	const batch = task.batch(() => {
		installFilter(refuse("getuid"));
		installFilter(compileFilter(refuse("chdir", { errno: "EXDEV" })));
		task.syscall(calls.chdir[index], Buffer.from("/\0"));
	});
	await expect(batch).rejects.toMatchObject({ code: "EXDEV", step: 2 });
});

test("bytes of a filter of another program are installed as they are", async () => {
	await using task = await clone();
	const instruction = (code: number, value: number) => [
		code,
		0,
		0,
		0,
		...new Uint8Array(new Uint32Array([value]).buffer),
	];
	task.run(() => installFilter(Uint8Array.from([...instruction(0x20, 0), ...instruction(0x06, 0x7fff_0000)])));
	expect(call(task, "getpid")).toBeGreaterThan(0n);
	expect(refusal(() => task.run(() => installFilter(new Uint8Array(8).fill(0xff))))).toMatchObject({
		code: "EINVAL",
		syscall,
	});
	expect(refusal(() => task.run(() => installFilter(new Uint8Array(8)))).code).toBe("EINVAL");
	expect(refusal(() => task.run(() => installFilter(new Uint8Array(9)))).code).toBe("ERR_OUT_OF_RANGE");
});

test("PRC-06 without no_new_privs and CAP_SYS_ADMIN it is EACCES, with a hint", async () => {
	await using task = await Task.clone();
	becomeOrdinary(task);
	const error = refusal(() => task.run(() => installFilter({ default: "allow" })));
	expect(error).toMatchObject({ code: "EACCES", syscall, hint: expect.stringContaining("setNoNewPrivs()") });
	await expect(task.batch(() => installFilter({ default: "allow" }))).rejects.toMatchObject({
		code: "EACCES",
		step: 0,
		hint: expect.stringContaining("setNoNewPrivs()"),
	});
	task.run(() => setNoNewPrivs());
	task.run(() => installFilter({ default: "allow" }));
});

test("CAP_SYS_ADMIN in a user namespace of its own is enough", async () => {
	await using task = await Task.clone({ namespaces: ["user"], idMap: "root" });
	task.run(() => installFilter(refuse("umask")));
	expect(refusal(() => call(task, "umask", 0)).code).toBe("EPERM");
});

test("filters add up: the stricter one decides", async () => {
	await using task = await clone();
	task.run(() => {
		installFilter(refuse("umask", { errno: 7 }));
		installFilter({ default: "allow", rules: [{ calls: ["umask"], action: "allow" }] });
		installFilter({ default: "allow", rules: [{ calls: ["umask"], action: "log" }] });
	});
	expect(refusal(() => call(task, "umask", 0)).errno).toBe(-7);
});

test("filters of more than 32768 instructions in all are ENOMEM, with a hint", async () => {
	await using task = await clone();
	const long = compileFilter({
		default: "allow",
		rules: Array.from({ length: 1990 }, (_, value) => ({
			calls: ["umask"],
			args: [{ index: 0, op: "==", value, mask: 0xffff_ffff }],
			action: "log",
		})),
	});
	const error = refusal(() => task.run(() => Array.from({ length: 9 }, () => installFilter(long))));
	expect(error).toMatchObject({ code: "ENOMEM", syscall, hint: expect.stringContaining("32768") });
	expect(call(task, "getpid")).toBeGreaterThan(0n);
});

test("near it needs the option process, and in a batch near it cannot have it", async () => {
	const rules: SeccompRules = { default: "allow" };
	expect(refusal(() => installFilter(rules)).code).toBe("ERR_NEARFAR_MULTITHREADED");
	expect(refusal(() => installFilter(rules, { process: false })).code).toBe("ERR_NEARFAR_MULTITHREADED");
	const code = (options: object) =>
		Task.near.batch(() => installFilter(rules, options)).then(Boolean, ({ code }) => code);
	expect(await code({})).toBe("ERR_NEARFAR_MULTITHREADED");
	expect(await code({ process: true })).toBe("ERR_NEARFAR_BATCH");
	expect(refusal(() => installFilter(rules, { process: 1 } as never)).code).toBe("ERR_INVALID_ARG_TYPE");
	expect(refusal(() => installFilter(rules, { tsync: true } as never)).code).toBe("ERR_INVALID_ARG_VALUE");
	expect(refusal(() => installFilter("allow" as never)).code).toBe("ERR_INVALID_ARG_TYPE");
	expect(refusal(() => installFilter({ default: "alow" } as never)).message).toContain('"filter.default"');
});

test("in a task the option process changes nothing about where the filter is", async () => {
	await using task = await clone();
	task.run(() => installFilter(refuse("umask"), { process: true }));
	expect(refusal(() => call(task, "umask", 0)).code).toBe("EPERM");
	expect(Task.near.syscall(calls.umask[index], process.umask())).toBe(BigInt(process.umask()));
});

test.each(["kill", "killThread", "trap"] as const)("%s ends a task with SIGSYS", async (action) => {
	await using task = await clone();
	task.run(() => installFilter(refuse("umask", action)));
	expect(refusal(() => call(task, "umask", 0)).code).toBe("ERR_NEARFAR_TASK_GONE");
	expect(await task.process.exited).toMatchObject({ signal: "SIGSYS" });
});

test("log and allow make the call, errno 0 does not and returns 0, trace without a tracer is ENOSYS", async () => {
	await using task = await clone();
	task.run(() => {
		installFilter(refuse("getpid", "log"));
		installFilter(refuse("getppid", "allow"));
		installFilter(refuse("gettid", { errno: 0 }));
		installFilter(refuse("getuid", { trace: 1 }));
	});
	expect(call(task, "getpid")).toBe(BigInt(task.process.pid));
	expect(call(task, "getppid")).toBe(BigInt(process.pid));
	expect(call(task, "gettid")).toBe(0n);
	expect(refusal(() => call(task, "getuid")).code).toBe("ENOSYS");
});

test("a filter that kills for what the task itself needs ends the task", async () => {
	await using task = await clone();
	expect(refusal(() => task.run(() => installFilter({ default: "kill" }))).code).toBe("ERR_NEARFAR_TASK_GONE");
	expect(await task.process.exited).toMatchObject({ signal: "SIGSYS" });
});

test("a filter that refuses seccomp(2) is the last one", async () => {
	await using task = await clone();
	task.run(() => installFilter(refuse("seccomp", { errno: "ENOSYS" })));
	expect(refusal(() => task.run(() => installFilter(refuse("umask"))))).toMatchObject({ code: "ENOSYS", syscall });
	expect(call(task, "umask", 0)).toBeGreaterThanOrEqual(0n);
});

test("a task that is gone", async () => {
	const task = await Task.clone();
	await task.exit();
	expect(refusal(() => task.run(() => installFilter({ default: "allow" }))).code).toBe("ERR_NEARFAR_TASK_GONE");
});
