import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runFixture } from "../../../../test/fixture.ts";
import { hold } from "../../../../test/held.ts";
import { needs } from "../../../../test/needs.ts";
import { children } from "../../../../test/processes.ts";
import { reason } from "../../../../test/reason.ts";
import { native } from "../../src/addon/native.ts";
import { type CloneOptions, openat2, type SharedPart, Task } from "../../src/index.ts";
import { makePlace } from "../place.ts";

const place = makePlace();

const ways: [string, CloneOptions][] = [
	["", {}],
	["with a first batch", { begin: (task) => task.exec("/bin/sleep", ["sleep", "1000"]) && undefined }],
];
const mapped: [string, CloneOptions][] = [["with a user namespace", { namespaces: ["user"] }]];
const sharing: [string, CloneOptions][] = [
	["that shares memory", { share: ["vm"] as SharedPart[] }],
	["that shares descriptors", { share: ["files"] as SharedPart[] }],
];

test.each([...ways, ...sharing])("an abort ends a clone %s while its parent is busy", whileParentIsBusy);
needs("/proc").test.each(mapped)("an abort ends a clone %s while its parent is busy", whileParentIsBusy);

async function whileParentIsBusy(name: string, options: CloneOptions): Promise<void> {
	const fifo = join(place.folder, `fifo${name}`);
	execFileSync("mkfifo", [fifo]);
	const { task } = place;
	const opens = task.batch(() => openat2(fifo));
	const abort = new AbortController();
	const cloning = task.clone({ ...options, signal: abort.signal });
	abort.abort(new Error("enough"));
	expect(await reason(() => cloning)).toMatchObject({ code: "ABORT_ERR" });
	writeFileSync(fifo, "");
	(await opens).close();
	await expect.poll(() => children(task.pid)).toEqual([]);
}

test.each(ways)("an abort ends a clone %s while a debugger holds the zygote", whileZygoteIsHeld);
needs("/proc").test.each(mapped)("an abort ends a clone %s while a debugger holds the zygote", whileZygoteIsHeld);

async function whileZygoteIsHeld(_: string, options: CloneOptions): Promise<void> {
	await (await Task.clone()).exit();
	const held = await hold(native().zygotePid());
	try {
		const abort = new AbortController();
		const cloning = Task.clone({ ...options, signal: abort.signal });
		abort.abort(new Error("enough"));
		expect(await reason(() => cloning)).toMatchObject({ code: "ABORT_ERR" });
	} finally {
		held[Symbol.dispose]();
	}
	await (await Task.clone()).exit();
}

test("an abort in the first batch, while that is collected, ends it", async () => {
	const fifo = join(place.folder, "fifo in begin");
	execFileSync("mkfifo", [fifo]);
	const abort = new AbortController();
	const begin = () => {
		abort.abort(new Error("enough"));
		openat2(fifo);
	};
	expect(await reason(() => Task.clone({ begin, signal: abort.signal }))).toMatchObject({ code: "ABORT_ERR" });
});

test("a clone that was given up does not keep the event loop alive", async () => {
	const { code, report } = await runFixture("core/given-up");
	expect([code, report]).toEqual([0, "AbortError"]);
});

test("an abort between the reply and its promise takes no reason to stay alive from what comes later", async () => {
	const { code, report } = await runFixture("core/late-abort");
	expect([code, report]).toEqual([0, "done"]);
});
