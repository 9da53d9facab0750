import { Task } from "@nearfar/core";
import { expect, test } from "vitest";
import { needs } from "../../../test/needs.ts";
import { becomeOrdinary } from "../../../test/ordinary.ts";
import { kill, killpg, TaskGoneError } from "../src/index.ts";

const NOBODY = 2 ** 31 - 1;

test.each([
	["kill(-1)", () => kill(-1), "ERR_OUT_OF_RANGE"],
	["kill(0)", () => kill(0), "ERR_OUT_OF_RANGE"],
	["kill(1.5)", () => kill(1.5), "ERR_OUT_OF_RANGE"],
	['kill("1")', () => kill("1" as unknown as number), "ERR_INVALID_ARG_TYPE"],
	["signal 65", () => kill(process.pid, 65), "ERR_OUT_OF_RANGE"],
	["signal SIGNOPE", () => kill(process.pid, "SIGNOPE" as "SIGTERM"), "ERR_INVALID_ARG_VALUE"],
	["killpg(-1)", () => killpg(-1), "ERR_OUT_OF_RANGE"],
	["killpg(1)", () => killpg(1, 0), "ERR_OUT_OF_RANGE"],
])("%s is refused before the kernel is asked", (_, call, code) => {
	expect(call).toThrow(expect.objectContaining({ code }));
});

test("nobody there: ESRCH", async () => {
	await using task = await Task.clone();
	const error = expect.objectContaining({ code: "ESRCH", syscall: "kill" });
	expect(() => kill(NOBODY)).toThrow(error);
	expect(() => killpg(NOBODY)).toThrow(error);
	expect(() => task.run(() => kill(NOBODY))).toThrow(error);
});

needs("another user as the owner of process 1").test("another user's: EPERM", async () => {
	await using task = await Task.clone();
	becomeOrdinary(task);
	const error = expect.objectContaining({ code: "EPERM", syscall: "kill" });
	expect(() => task.run(() => kill(1, 0))).toThrow(error);
});

test("kill near, far and from a batch ends exactly that process", async () => {
	await using task = await Task.clone();
	await using near = (await Task.clone()).exec("sleep", ["sleep", "60"]);
	await using far = (await Task.clone()).exec("sleep", ["sleep", "60"]);
	await using batch = (await Task.clone()).exec("sleep", ["sleep", "60"]);
	kill(near.pid, 0);
	kill(near.pid);
	task.run(() => kill(far.pid, "SIGHUP"));
	await task.batch(() => kill(batch.pid, 9));
	const signals = [await near.exited, await far.exited, await batch.exited].map(({ signal }) => signal);
	expect(signals).toEqual(["SIGTERM", "SIGHUP", "SIGKILL"]);
});

test("killpg reaches the whole group and nobody else", async () => {
	await using leader = await Task.clone();
	await using member = await Task.clone();
	await using other = await Task.clone();
	leader.process.setpgid();
	member.process.setpgid(leader.process);
	killpg(leader.pid, 0);
	killpg(leader.pid, "SIGKILL");
	expect((await leader.process.exited).signal).toBe("SIGKILL");
	expect((await member.process.exited).signal).toBe("SIGKILL");
	expect(other.process.poll()).toBe(undefined);
});

test("killpg(0) is the group of who calls", async () => {
	await using task = await Task.clone();
	await using member = await Task.clone();
	task.process.setpgid();
	member.process.setpgid(task.process);
	task.run(() => killpg(0, 0));
	// The task is gone and cannot reply.
	await expect(task.batch(() => killpg(0, "SIGKILL"))).rejects.toThrow(TaskGoneError);
	expect((await member.process.exited).signal).toBe("SIGKILL");
	expect((await task.process.exited).signal).toBe("SIGKILL");
});
