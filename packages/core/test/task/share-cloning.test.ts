import { describe, expect, test } from "vitest";
import { reason } from "../../../../test/reason.ts";
import { closeRange, openat2, Task } from "../../src/index.ts";

const getpid = process.arch === "x64" ? 39 : 172;
const busy = { code: "ERR_NEARFAR_BATCH", message: expect.stringContaining("still being cloned") };

describe("while a task is being cloned that will have the same descriptors", () => {
	test.each([
		["closeRange", (task: Task) => task.run(() => closeRange(3, 4294967295))],
		["closeRange in a batch", (task: Task) => task.batch(() => closeRange(3, 4294967295))],
		["closeRange with unshare", (task: Task) => task.run(() => closeRange(3, 4294967295, { unshare: true }))],
		["dupTo", dups],
		["put", puts],
		["exec", (task: Task) => task.exec("/bin/true")],
		["exec in a batch", (task: Task) => task.batch(() => task.exec("/bin/true"))],
	])("%s is refused, of its creator and of others who have them", async (_, act) => {
		await using creator = await Task.clone();
		await using sibling = await creator.clone({ share: ["files"] });
		const cloning = creator.clone({ share: ["files"] });
		for (const task of [creator, sibling]) expect(await reason(() => act(task))).toMatchObject(busy);
		await using task = await cloning;
		expect(Number(task.syscall(getpid))).toBe(task.pid);
		expect(Number(creator.syscall(getpid))).toBe(creator.pid);
	});

	test.each([
		["closeRange", () => closeRange(3, 4294967295)],
		["dupTo", () => openat2("/").dupTo(65)],
	] as [string, () => unknown][])("and not while another's batch with %s is under way", async (_, closes) => {
		await using creator = await Task.clone();
		await using sibling = await creator.clone({ share: ["files"] });
		sibling.process.kill("SIGSTOP");
		const batch = sibling.batch(() => void closes());
		const refused = { code: "ERR_NEARFAR_BATCH", message: expect.stringContaining("by number") };
		expect(await reason(() => creator.clone({ share: ["files"] }))).toMatchObject(refused);
		sibling.process.kill("SIGCONT");
		await batch;
		await using task = await creator.clone({ share: ["files"] });
		expect(Number(task.syscall(getpid))).toBe(task.pid);
		creator.run(() => closeRange(3, 4294967295));
	});

	test("to supervise is refused", async () => {
		await using creator = await Task.clone();
		await using program = await creator.clone();
		const cloning = creator.clone({ share: ["files"] });
		expect(await reason(() => creator.supervise(program.process))).toMatchObject(busy);
		await using task = await cloning;
		expect(task.state).toBe("live");
	});

	test.each(["exit", "kill"] as const)("its creator's %s leaves no task that nobody knows of", async (end) => {
		for (let round = 0; round < 20; round++) {
			await using creator = await Task.clone();
			const cloning = creator.clone({ share: ["files"] }).then(
				(task) => task[Symbol.asyncDispose](),
				(error) => error,
			);
			if (end === "exit") await creator.exit();
			else creator.process.kill("SIGKILL");
			const failed = await cloning;
			if (failed) expect(failed).toMatchObject({ code: "ERR_NEARFAR_TASK_GONE" });
		}
	});

	test("once that has failed nothing is refused any more", async () => {
		await using creator = await Task.clone();
		expect(await reason(() => creator.clone({ share: ["files"], setTid: [1] }))).toMatchObject({ syscall: "clone3" });
		creator.run(() => closeRange(3, 4294967295));
		await creator.exec("/bin/true").check();
	});
});

function dups(task: Task) {
	task.run(() => {
		using file = openat2("/");
		file.dupTo(64).close();
	});
}

function puts(task: Task) {
	using file = openat2("/");
	task.put(file, { number: 64 });
}
