import { BatchError, MultithreadedError, type Signal, Task } from "@nearfar/core";
import { expect, test } from "vitest";
import { signalSet } from "../../../test/status.ts";
import { kill, sigaction } from "../src/index.ts";

const SIGNAL = process.arch === "arm64" ? 134 : 13; // rt_sigaction

test("a signal is ignored, and has its default action again", async () => {
	await using task = await Task.clone();
	const disposition = () => task.run(() => sigaction("SIGTERM"));
	expect(disposition()).toBe("default");
	task.run(() => sigaction("SIGTERM", "ignore"));
	expect(disposition()).toBe("ignore");
	expect(signalSet(task.pid, "SigIgn")).toBe(1n << 14n);
	kill(task.pid, "SIGTERM");
	expect(disposition()).toBe("ignore"); // the task lives
	await task.batch(() => sigaction("SIGTERM", "default"));
	expect([disposition(), signalSet(task.pid, "SigIgn")]).toEqual(["default", 0n]);
	kill(task.pid, "SIGTERM");
	expect((await task.process.exited).signal).toBe("SIGTERM");
});

test("all 62 signals can be ignored, those of the C library too, and a program has all at their defaults", async () => {
	await using task = await Task.clone();
	const numbers = Array.from({ length: 64 }, (_, index) => index + 1).filter((number) => ![9, 19].includes(number));
	await task.batch(() => {
		for (const number of numbers) sigaction(number, "ignore");
	});
	expect(signalSet(task.pid, "SigIgn")).toBe(2n ** 64n - 1n - (1n << 8n) - (1n << 18n));
	await using sleep = task.exec("sleep", ["sleep", "60"]);
	expect(signalSet(sleep.pid, "SigIgn")).toBe(0n);
});

test("a clone does not ignore what the task does, and its programs do not either", async () => {
	await using task = await Task.clone();
	task.run(() => sigaction("SIGINT", "ignore"));
	await using clone = await task.clone();
	expect(clone.run(() => sigaction("SIGINT"))).toBe("default");
	await using sleep = clone.exec("sleep", ["sleep", "60"]);
	expect(signalSet(sleep.pid, "SigIgn")).toBe(0n);
});

test.each<[Signal, string]>([
	["SIGKILL", "EINVAL"],
	["SIGSTOP", "EINVAL"],
	[0, "EINVAL"],
])("signal %s cannot be ignored: %s", async (signal, code) => {
	await using task = await Task.clone();
	const error = expect.objectContaining({ code, syscall: "sigaction" });
	expect(() => task.run(() => sigaction(signal, "ignore"))).toThrow(error);
	expect(() => task.run(() => sigaction(signal, "default"))).toThrow(error);
	await expect(task.batch(() => sigaction(signal, "ignore"))).rejects.toMatchObject({ code, step: 0 });
});

test("near, Node's dispositions can be read, and changing them is refused", async () => {
	expect([sigaction("SIGPIPE"), sigaction("SIGKILL")]).toEqual(["ignore", "default"]);
	const listener = () => {};
	process.on("SIGUSR2", listener);
	expect(sigaction("SIGUSR2")).toBe("handler");
	const [ignored, caught] = [signalSet("self", "SigIgn"), signalSet("self", "SigCgt")];
	expect(() => sigaction("SIGUSR2", "ignore")).toThrow(MultithreadedError);
	await expect(Task.near.batch(() => sigaction("SIGUSR2", "default"))).rejects.toThrow(MultithreadedError);
	expect([signalSet("self", "SigIgn"), signalSet("self", "SigCgt")]).toEqual([ignored, caught]);
	process.off("SIGUSR2", listener);
	expect(() => sigaction(0)).toThrow(expect.objectContaining({ code: "EINVAL", syscall: "sigaction" }));
});

test("a batch has no disposition to return yet, and wrong arguments reach no kernel", async () => {
	await using task = await Task.clone();
	await expect(task.batch(() => sigaction("SIGTERM"))).rejects.toThrow(BatchError);
	const wrong = expect.objectContaining({ code: "ERR_INVALID_ARG_VALUE" });
	expect(() => task.run(() => sigaction("SIGTERM", "handler" as "ignore"))).toThrow(wrong);
	expect(() => task.run(() => sigaction("SIGNOPE" as "SIGTERM", "ignore"))).toThrow(wrong);
	expect(() => task.run(() => sigaction(65, "ignore"))).toThrow(expect.objectContaining({ code: "ERR_OUT_OF_RANGE" }));
	expect(signalSet(task.pid, "SigIgn")).toBe(0n);
});

test("a handler that a raw call has set is told", async () => {
	await using task = await Task.clone();
	const action = new Uint8Array(32).fill(0);
	action[1] = 0x10; // an address that no code jumps to
	task.syscall(SIGNAL, 10, action, 0, 8);
	expect(task.run(() => sigaction("SIGUSR1"))).toBe("handler");
});
