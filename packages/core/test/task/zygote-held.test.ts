import { expect, test } from "vitest";
import { runFixture } from "../../../../test/fixture.ts";
import { hold } from "../../../../test/held.ts";
import { needs } from "../../../../test/needs.ts";
import { children, stat } from "../../../../test/processes.ts";
import { skipMaps } from "../../../../test/without-proc.ts";
import { native } from "../../src/addon/native.ts";
import { type CloneOptions, Task } from "../../src/index.ts";

const ways: [string, CloneOptions][] = [
	["alone", {}],
	["with a user namespace", { namespaces: ["user"] }],
	["with a first batch", { begin: (task) => task.exec("/bin/true") && undefined }],
];

test.each(ways)("a zygote that is stopped is continued and clones: %s", async (_, options) => {
	await (await Task.clone()).exit();
	const zygote = native().zygotePid();
	process.kill(zygote, "SIGSTOP");
	await expect.poll(() => stat(zygote)?.state).toBe("T");
	const task = await Task.clone(options);
	await task.process[Symbol.asyncDispose]();
	expect(native().zygotePid()).toBe(zygote);
});

test("the check of what a test file leaves tells a task from the zygote, whose name and command line it has", async () => {
	await using task = await Task.clone();
	const [first = "", ...others] = children(process.pid).filter((child) => child !== "zygote");
	expect([first.split(" ")[0], first.split(" ").at(-1), others]).toEqual([`${task.pid}`, "lives", []]);
	expect(children(process.pid)).toContain("zygote");
});

test.each(ways)(
	"a zygote that is held clones one task when it is let go, and others come from a new one: %s",
	async (_, options) => {
		skipMaps(options); // before the zygote is held
		await (await Task.clone()).exit();
		const before = children(process.pid);
		const zygote = native().zygotePid();
		const held = await hold(zygote);
		let late: Promise<Task>;
		try {
			late = Task.clone(options);
			for (let round = 0; round < 3; round++) {
				const task = await Task.clone({ begin: (task) => task.exec("/bin/true") && undefined });
				await task.process.exited;
				expect(native().zygotePid()).not.toBe(zygote);
			}
		} finally {
			held[Symbol.dispose]();
		}
		await (await late).process[Symbol.asyncDispose]();
		await expect.poll(() => stat(zygote)).toBe(undefined);
		await expect.poll(() => children(process.pid)).toEqual(before);
	},
);

needs("a process that another one may trace").test("a zygote that is stopped before it runs is continued", async () => {
	const { code, report, stderr } = await runFixture("core/stopped-start");
	expect([code, stderr]).toEqual([0, ""]);
	expect(report).toMatchObject({ code: 7 });
});
