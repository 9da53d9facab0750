import { spawn } from "node:child_process";
import { once } from "node:events";
import { BatchError, chdir, Task } from "@nearfar/core";
import {
	geteuid,
	getuid,
	setfsgid,
	setfsuid,
	setgid,
	setregid,
	setresgid,
	setresuid,
	setreuid,
	setuid,
} from "@nearfar/credentials";
import { expect, test } from "vitest";
import { fixturePath } from "../../../../test/fixture.ts";
import { needs } from "../../../../test/needs.ts";
import { childSubreaper, getDeathSignal, MultithreadedError, setDeathSignal } from "../../src/index.ts";
import { prctl } from "./raw.ts";

const PR_SET_PDEATHSIG = 1;

test("a task begins with SIGKILL, and can have any other signal or none", async () => {
	await using task = await Task.clone();
	expect(task.run(getDeathSignal)).toBe("SIGKILL");
	for (const signal of ["SIGTERM", 34, null] as const) {
		task.run(() => setDeathSignal(signal));
		expect(task.run(getDeathSignal)).toBe(signal);
	}
	await task.batch(() => setDeathSignal("SIGHUP"));
	expect(task.run(getDeathSignal)).toBe("SIGHUP");
	await expect(task.batch(getDeathSignal)).rejects.toThrow(BatchError);
});

test("PRC-09 a clone of the task has none", async () => {
	await using task = await Task.clone();
	expect(task.run(getDeathSignal)).toBe("SIGKILL");
	await using clone = await task.clone();
	expect(clone.run(getDeathSignal)).toBe(null);
});

test("PRC-12 one that is chosen when the parent is dead already never comes", async () => {
	await using reaper = await Task.clone();
	await reaper.batch(() => childSubreaper(true));
	const parent = await reaper.clone();
	await using orphan = await parent.clone();
	await parent.exit();
	orphan.run(() => setDeathSignal("SIGKILL"));
	// The signal comes with the death of the present parent.
	expect([orphan.run(getDeathSignal), orphan.process.poll()]).toEqual(["SIGKILL", undefined]);
	await reaper.exit();
	expect((await orphan.process.exited).signal).toBe("SIGKILL");
});

const changes = {
	setuid: () => setuid(1000),
	setgid: () => setgid(1000),
	setreuid: () => setreuid(-1, 1000),
	setregid: () => setregid(-1, 1000),
	setresuid: () => setresuid(1000, 1000, 1000),
	setresgid: () => setresgid(1000, 1000, 1000),
	setfsuid: () => void setfsuid(1000),
	setfsgid: () => void setfsgid(1000),
};

// The kernel clears the death signal when the ids change. A task in the middle of a call would then outlive Node.
needs("root").test.each(Object.entries(changes))(
	"a task keeps what it has when its ids change: %s",
	async (_, change) => {
		for (const signal of ["SIGKILL", "SIGTERM", null] as const) {
			await using task = await Task.clone();
			task.run(() => setDeathSignal(signal));
			task.run(change);
			expect(task.run(getDeathSignal)).toBe(signal);
		}
	},
);

test("nor does a batch lose it, and who counts its steps does not see how", async () => {
	await using task = await Task.clone();
	const ids = () => setresuid(getuid(), geteuid(), getuid());
	const [uid, euid] = [getuid(), geteuid()];
	await task.batch(() => setresuid(uid, euid, uid));
	expect(task.run(getDeathSignal)).toBe("SIGKILL");
	task.run(ids);
	const failed = task.batch(() => {
		setresgid(-1, -1, -1);
		setresuid(uid, uid, uid);
		chdir("/nope");
	});
	await expect(failed).rejects.toMatchObject({ code: "ENOENT", syscall: "chdir", step: 2 });
	expect(task.run(getDeathSignal)).toBe("SIGKILL");
});

test("a number that is no signal never reaches the kernel, which would say EINVAL", async () => {
	await using task = await Task.clone();
	task.run(() => {
		expect(() => setDeathSignal(65)).toThrow(expect.objectContaining({ code: "ERR_OUT_OF_RANGE" }));
		expect(() => setDeathSignal("SIGNOPE" as "SIGTERM")).toThrow(
			expect.objectContaining({ code: "ERR_INVALID_ARG_VALUE" }),
		);
	});
	expect(() => prctl(task, PR_SET_PDEATHSIG, 999)).toThrow(expect.objectContaining({ code: "EINVAL" }));
	expect(task.run(getDeathSignal)).toBe("SIGKILL");
});

test("near it is refused, and nothing changes", () => {
	const before = getDeathSignal();
	expect(() => setDeathSignal("SIGTERM")).toThrow(MultithreadedError);
	expect(getDeathSignal()).toBe(before);
});

needs("/proc").test("PRC-13 when Node dies, so does the init of a pid namespace, and all in it", async () => {
	const file = fixturePath("process/init-with-children");
	const node = spawn(process.execPath, [file], { stdio: ["ignore", "pipe", "inherit"] });
	let text = "";
	node.stdout.setEncoding("utf8").on("data", (chunk) => {
		text += chunk;
	});
	while (!text.includes("\n")) await once(node.stdout, "data");
	expect(text).toBe("the parent of init is 0\n");
	node.kill("SIGKILL");
	// The pipe ends when the last process that has it open is dead: init, and the program that init has started.
	await once(node, "close");
	expect(node.signalCode).toBe("SIGKILL");
});
