// spawn, run, signals, limits and prctl.
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import {
	getDumpable,
	getName,
	getNoNewPrivs,
	getpriority,
	getrlimit,
	kill,
	prctl,
	run,
	schedGetaffinity,
	setName,
	setNoNewPrivs,
	sigaction,
	spawn,
} from "@nearfar/process";
import { equal, rejects, same, throws, truthy, untilGone, withTask } from "../tools.mjs";

const MEGABYTES = 4_000_000;

export const programs = {
	"pipes in and out": async () => {
		const child = await spawn("sh", ["-c", "cat; echo oops >&2"]);
		const [out, err] = [collect(child.stdout), collect(child.stderr)];
		child.stdin.end("hello");
		same(await child.closed, { code: 0, signal: null, dumped: false });
		same([out(), err()], ["hello", "oops\n"]);
	},
	"megabytes through a program": async () => {
		const child = await spawn("cat");
		let length = 0;
		child.stdout.on("data", (chunk) => (length += chunk.length));
		child.stdin.end(Buffer.alloc(MEGABYTES));
		await child.closed;
		equal(length, MEGABYTES);
	},
	"megabytes of standard error, read slowly": async () => {
		const child = await spawn("sh", ["-c", `head -c ${MEGABYTES} /dev/zero >&2`]);
		let length = 0;
		for await (const chunk of child.stderr) {
			length += chunk.length;
			await new Promise((resolve) => setImmediate(resolve));
		}
		equal(length, MEGABYTES);
	},
	"many silent programs block no thread": async () => {
		const children = await Promise.all(Array.from({ length: 20 }, () => spawn("cat")));
		for (const child of children) for (const stream of [child.stdout, child.stderr]) stream.resume();
		const { readFile } = await import("node:fs/promises");
		truthy((await readFile("/proc/self/comm")).length > 0);
		await Promise.all(children.map((child) => child[Symbol.asyncDispose]()));
	},
	"output is one loop over both streams": async () => {
		const child = await spawn("sh", ["-c", "echo a; echo b >&2"]);
		const text = { stdout: "", stderr: "" };
		for await (const { stream, data } of child.output) text[stream] += data;
		same(text, { stdout: "a\n", stderr: "b\n" });
	},
	"dispose loses no output that is read": async () => {
		for (let i = 0; i < 20; i++) {
			const child = await spawn("sh", ["-c", "echo out; echo err >&2"]);
			const [out, err] = [collect(child.stdout), collect(child.stderr)];
			await child.exited;
			await child[Symbol.asyncDispose]();
			same([out(), err()], ["out\n", "err\n"]);
		}
	},
	"closed resolves though the output has no reader": async () => {
		const child = await spawn("echo", ["unread"]);
		equal((await child.closed).code, 0);
	},
	"stdin is writable, stdout and stderr are readable": async () => {
		const child = await spawn("cat");
		same(
			[child.stdin.readable, child.stdin.writable, child.stdout.readable, child.stderr.readable],
			[false, true, true, true],
		);
		await child[Symbol.asyncDispose]();
		truthy(child.stdio.every((stream) => stream.destroyed));
	},
	"a fourth descriptor in both directions": async () => {
		const child = await spawn("sh", ["-c", "echo ready >&3; cat <&3 >&3"], {
			stdio: ["ignore", "ignore", "inherit", "pipe"],
		});
		const [, , , stream] = child.stdio;
		const text = collect(stream);
		await once(stream, "data");
		stream.end("and back");
		await child.closed;
		equal(text(), "ready\nand back");
	},
	"a file as standard output": async () => {
		const folder = mkdtempSync(join(tmpdir(), "nearfar-smoke-"));
		const fd = openSync(join(folder, "out"), "w");
		await (await spawn("echo", ["into a file"], { stdio: ["ignore", fd, "inherit"] })).check();
		closeSync(fd);
		equal(readFileSync(join(folder, "out"), "utf8"), "into a file\n");
		rmSync(folder, { recursive: true });
	},
	"the output of a program is the input of another": async () => {
		const first = await spawn("echo", ["through"]);
		const second = await spawn("cat", [], { stdio: [first.stdout, "pipe", "inherit"] });
		const text = collect(second.stdout);
		await second.closed;
		await first.exited;
		equal(text(), "through\n");
	},
	"run collects the output": async () => {
		const result = await run("sh", ["-c", "cat; echo oops >&2; exit 3"], { input: "in" });
		same([result.stdout, result.stderr, result.code, result.reason], ["in", "oops\n", 3, "exited"]);
		throws(() => result.check(), "ERR_NEARFAR_EXIT");
	},
	"run takes a stream and gives bytes": async () => {
		const input = Readable.from([Buffer.from("a"), Buffer.from("b")]);
		const { stdout } = await run("cat", [], { input, encoding: "buffer" });
		truthy(Buffer.isBuffer(stdout));
		equal(stdout.toString(), "ab");
	},
	"run lets a program ignore its input": async () => {
		equal((await run("true", [], { input: Buffer.alloc(MEGABYTES) })).reason, "exited");
	},
	"run ends a program that writes too much": async () => {
		const result = await run("yes", [], { maxOutput: 1000 });
		same([result.reason, result.stdout.length, result.truncated.stdout], ["output", 1000, true]);
	},
	"run has a timeout": async () => {
		const result = await run("sleep", ["60"], { timeout: 1000 });
		same([result.reason, result.signal], ["timeout", "SIGTERM"]);
	},
	"run is aborted": async () => {
		const abort = new AbortController();
		const input = new Readable({ read: () => abort.abort() }); // is read once the program runs
		equal((await run("sleep", ["60"], { signal: abort.signal, input })).reason, "aborted");
	},
	"spawn is aborted before it starts": () => rejects(spawn("true", [], { signal: AbortSignal.abort() }), "ABORT_ERR"),
	"a program that is not there": async () => {
		equal((await rejects(spawn("no-such-program-of-nearfar"), "ENOENT")).syscall, "execve");
	},
	"an unknown option is refused": () => rejects(spawn("true", [], { killtree: true }), "ERR_INVALID_ARG_VALUE"),
	"killTree ends what the program has left": async () => {
		const child = await spawn("sh", ["-c", "setsid sleep 60 <&- >&- 2>&- & echo $!; exec sleep 60"], {
			killTree: true,
		});
		const [line] = await once(child.stdout, "data");
		child.kill("SIGKILL");
		equal((await child.exited).signal, "SIGKILL");
		await untilGone(Number(line));
	},
	"dispose kills a program": async () => {
		const child = await spawn("sleep", ["60"]);
		await child[Symbol.asyncDispose]();
		equal(child.death.state, "killed");
	},
	"cwd, env, umask and argv0": async () => {
		const options = { cwd: "/usr", env: { A: "b", PATH: "/usr/bin:/bin" }, umask: 0o27, argv0: "zero" };
		equal((await run("sh", ["-c", 'echo "$PWD $A $(umask) $0"'], options)).stdout, "/usr b 0027 zero\n");
	},
	"limits, nice and cpus": async () => {
		const [cpu] = schedGetaffinity();
		const nice = Math.min(getpriority() + 5, 19); // an ordinary user may not lower the nice value that this process has
		const options = { limits: { nofile: 64, core: 0 }, nice, cpus: [cpu] };
		equal((await run("sh", ["-c", "ulimit -n; nice"], options)).stdout, `64\n${nice}\n`);
	},
	"a session and a group": async () => {
		const child = await spawn("sleep", ["60"], { session: true, stdio: "ignore" });
		equal(child.getpgid(), child.pid);
		child.killpg("SIGTERM");
		equal((await child.exited).signal, "SIGTERM");
	},
	"setup runs in the task before the program": async () => {
		const setup = (task) => task.run(() => setNoNewPrivs());
		equal((await run("grep", ["NoNewPrivs", "/proc/self/status"], { setup })).stdout, "NoNewPrivs:\t1\n");
	},
	"signals, priorities and limits of this process": () => {
		kill(process.pid, 0);
		truthy(["default", "handler", "ignore"].includes(sigaction("SIGUSR2")));
		truthy(Number.isInteger(getpriority()));
		truthy(getrlimit("nofile").soft > 0);
	},
	"prctl, near and in a task": () =>
		withTask({}, (task) => {
			equal(typeof getDumpable(), "boolean");
			truthy(prctl("getDumpable") >= 0);
			task.run(() => {
				setName("smoke");
				equal(getName(), "smoke");
				setNoNewPrivs();
				equal(getNoNewPrivs(), true);
			});
		}),
};

function collect(stream) {
	let text = "";
	stream.setEncoding("utf8");
	stream.on("data", (chunk) => (text += chunk));
	return () => text;
}
