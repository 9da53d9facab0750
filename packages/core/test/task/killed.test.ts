import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { afterAll, expect, onTestFailed, test } from "vitest";
import { fixturePath } from "../../../../test/fixture.ts";
import { needs } from "../../../../test/needs.ts";
import { stat } from "../../../../test/processes.ts";
import { reason } from "../../../../test/reason.ts";
import { type ChildProcess, openat2, pipe, Task } from "../../src/index.ts";

const folder = mkdtempSync(join(tmpdir(), "nearfar-killed-"));
const fifo = join(folder, "fifo");
execFileSync("mkfifo", [fifo]);
afterAll(() => rmSync(folder, { recursive: true }));

const [prctl, wait4] = process.arch === "x64" ? [157, 61] : [167, 260];
const [SUBREAPER, WNOHANG, WALL] = [36, 1, 0x4000_0000];

/** The states of a process that nothing has stopped: one that begins may be ready to run, or wait for a page of its file. */
const running = /[SRD]/;

/** Starts a Node in the given phase, below a task that adopts the processes that the Node leaves behind. */
async function started(phase: string) {
	const reaper = await Task.clone();
	reaper.syscall(prctl, SUBREAPER, 1, 0, 0, 0);
	const task = await reaper.clone();
	const [read, write] = pipe();
	const far = task.put(write);
	const three = task.run(() => far.dupTo(3));
	const argv = [process.execPath, fixturePath("core/phases"), phase, fifo];
	const node = task.exec(process.execPath, argv, { fds: [three] });
	write.close();
	const told = JSON.parse(`${read.read(65_536)}`) as { tasks: number[]; waits: number; programs: number[] };
	read.close();
	return { reaper, node, told };
}

/** Returns what a process is and waits for, for the report of a failure. */
function described(pid: number): string {
	const [status, call, argv] = ["status", "syscall", "cmdline"].map((file) =>
		readFileSync(`/proc/${pid}/${file}`, "utf8"),
	);
	return `${argv?.replaceAll("\0", " ")}: in call ${call?.trim()}: ${status?.match(/^(Name|State|PPid|NSpid|Sig\w+):.*/gm)?.join(", ")}`;
}

/** Reaps processes until none is left, or until the remaining ones stay alive. */
async function settled(reaper: Task, survivors: number[] = []): Promise<void> {
	const file = `/proc/${reaper.pid}/task/${reaper.pid}/children`;
	const left = () => readFileSync(file, "utf8").split(" ").filter(Boolean).map(Number);
	onTestFailed(() => console.error("left behind:", left().map(described)));
	for (;;) {
		const reaped = await reason(() => reaper.syscall(wait4, -1, 0, WNOHANG | WALL, 0));
		if (reaped) break; // ECHILD: no child is left
		if (survivors.length > 0 && String(left().sort()) === String(survivors.sort())) break;
		await setImmediate();
	}
	expect(left().sort()).toEqual(survivors.sort());
}

/** Resolves when the process waits in openat2(2). */
async function opening(pid: number): Promise<void> {
	while (!readFileSync(`/proc/${pid}/syscall`, "utf8").startsWith("437 ")) await setImmediate();
}

async function kill(node: ChildProcess): Promise<void> {
	node.kill("SIGKILL");
	expect(await node.exited).toEqual({ code: null, signal: "SIGKILL", dumped: false });
}

needs("the running system call in /proc").describe("Node killed by SIGKILL leaves nothing behind", () => {
	test.each([["after clone"], ["in a run"], ["in a batch"], ["after exec, with deathSignal"]])("%s", async (phase) => {
		const { reaper, node, told } = await started(phase);
		const { tasks, waits, programs } = told;
		expect(tasks).toHaveLength(4);
		if (waits) await opening(waits);
		for (const pid of [...tasks, ...programs]) expect(stat(pid)?.state).toMatch(running);
		await kill(node);
		await settled(reaper);
		for (const pid of [...tasks, ...programs]) expect(stat(pid)).toBeUndefined();
		await reaper.exit();
	});

	test.each([["while cloning"], ["while beginning"], ["between clone and exec"]])(
		"%s, at any moment",
		async (phase) => {
			for (let turn = 0; turn < 6; turn++) {
				const { reaper, node } = await started(phase);
				for (let moment = 0; moment < turn * 40; moment++) await setImmediate();
				await kill(node);
				await settled(reaper);
				await reaper.exit();
			}
		},
	);

	test("in a run of a task's task: once that call has ended", async () => {
		const { reaper, node, told } = await started("in a run of a task's task");
		await opening(told.waits);
		await kill(node);
		await settled(reaper, [told.waits]);
		openat2(fifo, { flags: ["wronly"] }).close();
		await settled(reaper);
		await reaper.exit();
	});

	test("after exec, without deathSignal: but the programs, and no task", async () => {
		const { reaper, node, told } = await started("after exec, without deathSignal");
		await kill(node);
		await settled(reaper, told.programs);
		for (const pid of told.programs) {
			expect(stat(pid)).toMatchObject({ name: "sleep", state: expect.stringMatching(running) });
			process.kill(pid, "SIGKILL");
		}
		await settled(reaper);
		await reaper.exit();
	});
});
