import { spawn as nodeSpawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { Worker } from "node:worker_threads";
import { openat2, Task } from "@nearfar/core";
import { expect, test } from "vitest";
import { fixturePath, runFixture } from "../../../../test/fixture.ts";
import { mark, marked, untilMarked } from "../../../../test/marked.ts";
import { needs, openFilesLimit } from "../../../../test/needs.ts";
import { output } from "./output.ts";

const fixture = (name: string) => fixturePath(`process/${name}`);

test("within another task's run and batch: a child of Node, with Node's files", async () => {
	await using task = await Task.clone({ namespaces: ["user"] });
	using file = openat2("/etc/passwd");
	const script = "echo $PPID; id -u; cat > /dev/null";
	const started: ReturnType<typeof output>[] = [];
	const start = () => {
		started.push(output("sh", ["-c", script], { stdio: [file, "pipe", "inherit"] }));
	};
	task.run(start);
	await task.batch(start);
	for (const { out, status } of await Promise.all(started)) {
		expect([out, status.code]).toEqual([`${process.pid}\n${process.getuid?.()}\n`, 0]);
	}
});

test("beside children of node:child_process: nobody's status is lost, and SIGCHLD is theirs", async () => {
	const numbers = Array.from({ length: Math.min(100, Math.floor(openFilesLimit() / 20)) }, (_, index) => index);
	const ours = numbers.map(async (number) => {
		const { status } = await output("sh", ["-c", `exit ${number}`], { killTree: number % 3 === 0 });
		return status.code;
	});
	const nodes = numbers.map(async (number) => {
		const child = nodeSpawn("sh", ["-c", `exit ${number}`], { stdio: "ignore" });
		const [code] = await once(child, "exit");
		return code;
	});
	expect(await Promise.all([...ours, ...nodes])).toEqual([...numbers, ...numbers]);
});

needs("/proc").test("a Worker that is terminated takes its trees along, those too that are being started", async () => {
	const env = mark();
	const worker = new Worker(fixture("spawn-worker"), { workerData: env, execArgv: [] });
	await once(worker, "message");
	await untilMarked(env, 3);
	await worker.terminate();
	await untilMarked(env, 0);
	expect(marked(env)).toEqual([]);
});

needs("/proc").test.each<[string, string]>([
	["closed", "exec 3>&1 0<&- 1>&- 2>&-"],
	["open, and SIGCHLD ignored", "trap '' CHLD; exec 3>&1"],
])("Node's own stdio is %s", async (_, prepare) => {
	const script = `${prepare}; exec "$0" "$1"`;
	const args = ["-c", script, process.execPath, fixture("spawn-stdio")];
	const node = nodeSpawn("sh", args, { stdio: ["ignore", "pipe", "inherit"] });
	const [seen] = await Promise.all([text(node.stdout), once(node, "close")]);
	expect(JSON.parse(seen)).toEqual({ inherited: 4, killTree: ["a\n", "b\n", 5], piped: ["a\n", "b\n", 5] });
});

test.each(["before", "after"])(
	"a Worker that is terminated %s a stream has got its descriptor leaves no descriptor open",
	async (when) => {
		const { report, code, stderr } = await runFixture("process/handover", { args: [when] });
		expect([code, stderr]).toEqual([0, ""]);
		expect(report).toEqual({ left: 0, open: true });
	},
);

needs("/proc").test("where Node has closed its own stdio, nothing of nearfar gets these numbers", async () => {
	const { report, stderr } = await runFixture("process/closed-inside");
	const { underWay, later, out, inherited } = report;
	expect([stderr, underWay, later]).toEqual(["", [0], [0]]); // 0 is an eventfd of the caller
	const file = expect.stringContaining("nearfar-closed-inside");
	expect([out, inherited]).toEqual([0, [file, "/dev/null", "/dev/null"]]);
});

needs("/proc", "2500 processes at once").test(
	"2 000 at once where there are descriptors for a few: EMFILE, and nothing is left",
	async () => {
		const env = mark();
		const script = `ulimit -n ${Math.min(400, openFilesLimit())}; exec "$0" "$1"`;
		const node = nodeSpawn("sh", ["-c", script, process.execPath, fixture("spawn-burst")], {
			stdio: ["ignore", "pipe", "inherit"],
			env: { ...process.env, ...env },
		});
		const [seen] = await Promise.all([text(node.stdout), once(node, "close")]);
		const { EMFILE, ended, more } = JSON.parse(seen);
		expect([EMFILE > 0, EMFILE + ended, more]).toEqual([true, 2000, 0]);
		await untilMarked(env, 0);
	},
	60_000,
);
