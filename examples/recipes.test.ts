// Runs the programs of docs/recipes.md, and compares the document with their files.
import { spawn as spawnNode, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
	chmodSync,
	chownSync,
	existsSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	statSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { type AddressInfo, connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { IdMap, openat2, SyscallError, Task } from "@nearfar/core";
import { setresgid, setresuid } from "@nearfar/credentials";
import ts from "typescript";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { has, isRoot, needs } from "../test/needs.ts";
import { runAgent } from "./recipes/agent.ts";
import { openShell, shell } from "./recipes/agent-shell.ts";
import { cloneWithAllIds, mapAll } from "./recipes/all-ids.ts";
import { build } from "./recipes/build.ts";
import { runWithServer } from "./recipes/http-inside.ts";
import { runImage } from "./recipes/image.ts";
import { runJob } from "./recipes/job.ts";
import { buildLayer } from "./recipes/layer.ts";
import { startServer } from "./recipes/low-port.ts";
import { enterNewRoot } from "./recipes/new-root.ts";
import { runOffline } from "./recipes/offline.ts";
import { testPullRequest } from "./recipes/pull-request.ts";
import { createService } from "./recipes/service.ts";
import * as typescript from "./recipes/supervisor.ts";
import { runTests } from "./recipes/tests.ts";
import { openPidFile, stopPidFile, waitForPidFile, writePidFile } from "./recipes/wait.ts";

// The compiler does not look into plain JavaScript, and so gets the types of the same program.
const javascript: typeof typescript = await import("./recipes/supervisor.mjs" as string);
const recipes = fileURLToPath(new URL("recipes", import.meta.url));
const document = readFileSync(fileURLToPath(new URL("../docs/recipes.md", import.meta.url)), "utf8");
const sandbox = needs("user namespaces", "a /proc and a /sys that nothing hides");
let folder = "";

beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), "nearfar-recipe-"));
	if (isRoot) chownSync(folder, 1000, 1000);
});
afterEach(() => rmSync(folder, { recursive: true }));

describe("the document", () => {
	test.each(readdirSync(recipes))("shows the whole of %s, which has less than 60 lines", (name) => {
		const code = readFileSync(join(recipes, name), "utf8");
		expect(document).toContain(`\`\`\`${name.endsWith(".ts") ? "ts" : "js"} examples/recipes/${name}\n${code}\`\`\`\n`);
		expect(code.split("\n").length).toBeLessThan(60);
	});
});

needs("user namespaces", "a temporary folder that can be id-mapped").describe("the shell of an agent", () => {
	test("reads, writes, hides, reaches and ends what its options say", async () => {
		if (isRoot) chownSync(folder, 0, 0); // files of root alone are the sandbox's own
		for (const name of ["key.pem", ".env", "data"]) writeFileSync(join(folder, name), "content");
		await using sandbox = await openShell(folder, ["allowed.example"]);
		expect(await shell(sandbox, "pwd; cat data key.pem .env; echo new > new; touch /usr/new 2>&1")).toBe(
			`${folder}\ncontenttouch: cannot touch '/usr/new': Read-only file system\n\n[exited: 1]`,
		);
		expect(readFileSync(join(folder, "new"), "utf8")).toBe("new\n");
		expect(await shell(sandbox, "(sleep 1000 &); cat new; ls -A ~ | grep -c '^.ssh$'")).toBe("new\n0\n\n[exited: 1]");
		expect(await shell(sandbox, "sleep 1000", 50)).toBe("\n[limit: time]\n[timeout: SIGTERM]");
		if (!has("the program curl")) return;
		const answer = await shell(sandbox, "curl -s -o /dev/null -w '%{http_code}' http://refused.example/");
		expect(answer).toBe("403\n[connect: refused.example:80]\n[exited: 0]");
	});
});

needs("user namespaces", "groups of cgroup v2 with limits").describe("jobs that share a machine", () => {
	test("one dies of memory, and is told so, while another one goes on", async () => {
		const other = runJob("head -c 20m /dev/zero | tail | wc -c");
		expect(await runJob("echo begun; tail /dev/zero; echo after", 32 * 2 ** 20)).toBe(
			"begun\nkilled: the job needs more than 32 MiB\n",
		);
		expect(await other).toMatch(/^20971520\nexited with 0(, at most \d+ MiB)?\n$/);
	});
});

sandbox.describe("the sandbox of an agent", () => {
	test("lets a command read the system and change its folder, and nothing else", async () => {
		const script = `
			id -u; ls /; pwd; echo kept > kept
			for path in /usr /etc / $PWD/../proc/sys/kernel; do touch $path/new 2>&1 && echo changed $path; done
			grep -c : /proc/net/dev; ls -d /proc/[0-9]* | wc -l; grep -E '^(CapBnd|CapEff|NoNewPrivs)' /proc/self/status
			unshare -U true; echo $?
		`;
		const { stdout, stderr, reason } = await runAgent("sh", ["-c", script], folder);
		const lines = stdout.split("\n").filter((line) => !/^touch/.test(line));
		expect({ stderr: stderr.replace(/^unshare.*\n/, ""), reason }).toEqual({ stderr: "", reason: "exited" });
		expect(lines.filter((line) => /changed|home|root|var/.test(line))).toEqual([]);
		expect(lines[0]).toBe("1000");
		expect(lines).toContain("work");
		expect(stdout).toMatch(/CapBnd:\t0+\nCapEff:\t0+\n|CapEff:\t0+\nCapBnd:\t0+\n/);
		expect(stdout).toMatch(/NoNewPrivs:\t1\n1\n$/);
		expect(readFileSync(join(folder, "kept"), "utf8")).toBe("kept\n");
	});

	test("ends a command that takes too long, with the daemons that it has left", async () => {
		const script = "(setsid sleep 1000 &) ; echo begun; sleep 1000";
		const { stdout, reason } = await runAgent("sh", ["-c", script], folder, 3000);
		expect([stdout, reason]).toEqual(["begun\n", "timeout"]);
	});

	needs("root").test("runs nothing as root", async () => {
		chownSync(folder, 0, 0);
		await expect(runAgent("true", [], folder)).rejects.toThrow(Error);
	});
});

sandbox.describe("the recipes of @nearfar/sandbox", () => {
	beforeEach(() => {
		if (isRoot) chownSync(folder, 0, 0); // root's files are those of a sandbox of root
	});

	needs("the program npm", "the file system overlay").test(
		"a pull request is installed with the registry and tested without, and its tests write nothing",
		async () => {
			const manifest = { name: "a", version: "1.0.0", scripts: { test: "touch written && cat node_modules/kept" } };
			const lock = {
				name: "a",
				version: "1.0.0",
				lockfileVersion: 3,
				packages: { "": { name: "a", version: "1.0.0" } },
			};
			writeFileSync(
				join(folder, "package.json"),
				JSON.stringify({
					...manifest,
					scripts: { ...manifest.scripts, postinstall: "mkdir -p node_modules; echo installed > node_modules/kept" },
				}),
			);
			writeFileSync(join(folder, "package-lock.json"), JSON.stringify(lock));
			const { code, stdout } = await testPullRequest(folder, "registry.npmjs.org");
			expect([code, stdout]).toEqual([0, expect.stringContaining("installed")]);
			expect(existsSync(join(folder, "written"))).toBe(false);
			writeFileSync(join(folder, "package.json"), JSON.stringify({ ...manifest, scripts: { postinstall: "exit 7" } }));
			expect((await testPullRequest(folder, "registry.npmjs.org")).code).toBe(7);
		},
		60_000,
	);

	needs("the program make", "the file system overlay").test(
		"a step of an image build fills the layer, and nothing else",
		async () => {
			const [source, layer] = [join(folder, "source"), join(folder, "layer")];
			for (const made of [source, layer]) mkdirSync(made);
			writeFileSync(
				join(source, "Makefile"),
				"install:\n\ttouch built\n\tmkdir -p $(DESTDIR)/usr/bin\n\tcp built $(DESTDIR)/usr/bin\n",
			);
			await buildLayer(source, layer, "make install");
			expect([readdirSync(source), readdirSync(join(layer, "usr/bin"))]).toEqual([["Makefile"], ["built"]]);
			expect(statSync(join(layer, "usr/bin/built")).uid).toBe(process.geteuid?.());
			await expect(buildLayer(source, layer, "make nothing")).rejects.toMatchObject({ code: "ERR_NEARFAR_EXIT" });
		},
	);
});

test("the test runner judges each test, and kills what a test leaves", async () => {
	const marker = join(folder, "daemon");
	const tests = {
		good: "echo fine",
		bad: "echo broken >&2; exit 3",
		daemon: `(setsid sh -c 'while :; do echo > ${marker}; sleep 0.01; done' > /dev/null 2>&1 &); until test -e ${marker}; do :; done`,
	};
	const slow = "trap '' TERM; while :; do sleep 0.1; done";
	const verdicts = [...(await runTests(tests, { parallel: 4 })), ...(await runTests({ slow }, { timeout: 2000 }))];
	const of = (name: string) => verdicts.find((verdict) => verdict.name === name);
	expect(of("good")).toMatchObject({ passed: true, output: "fine\n" });
	expect(of("bad")).toMatchObject({
		passed: false,
		output: "broken\n",
		summary: expect.stringMatching(/^exit code 3, /),
	});
	expect(of("daemon")).toMatchObject({ passed: true });
	expect(of("slow")).toMatchObject({ passed: false, summary: expect.stringMatching(/^too slow, /) });
	rmSync(marker);
	await runTests({ wait: "sleep 0.1" });
	expect(existsSync(marker)).toBe(false);
});

describe.each([
	["in TypeScript", typescript],
	["in JavaScript", javascript],
])("the supervisor %s", (_, { supervise }) => {
	test("starts a failing program again, later each time, until it is told to stop", async () => {
		const stop = new AbortController();
		const ends: unknown[] = [];
		const onEnd = (end: unknown, delay: number) => {
			ends.push([end, delay]);
			if (ends.length === 4) stop.abort();
		};
		await supervise("sh", ["-c", "exit 7"], { signal: stop.signal, shortest: 1, longest: 4, onEnd });
		const failed = { code: 7, signal: null, dumped: false };
		expect(ends).toEqual([1, 2, 4, 4].map((delay) => [failed, delay]));
	});

	test("waits the shortest time after a healthy run, and tries again what cannot be started", async () => {
		const stop = new AbortController();
		const delays: number[] = [];
		const onEnd = (_: unknown, delay: number) => {
			delays.push(delay);
			if (delays.length === 3) stop.abort();
		};
		await supervise("/no/such", [], { signal: stop.signal, shortest: 1, healthy: 0, onEnd });
		expect(delays).toEqual([1, 1, 1]);
	});

	test("ends the program when it is told to stop", async () => {
		const stop = new AbortController();
		const pid = join(folder, "pid");
		if (isRoot) chmodSync(folder, 0o777);
		const running = supervise("sh", ["-c", `echo $$ > ${pid}.new; mv ${pid}.new ${pid}; exec sleep 1000`], {
			signal: stop.signal,
		});
		await expect.poll(() => existsSync(pid), { timeout: 10_000 }).toBe(true);
		stop.abort();
		await running;
		expect(() => process.kill(Number(readFileSync(pid, "utf8")), 0)).toThrow("ESRCH");
	});
});

sandbox.test("a link in a folder that is shown leads no mount to the host", async () => {
	const [image, outside] = ["image", "outside"].map((name) => join(folder, name)) as [string, string];
	for (const path of [image, outside]) mkdirSync(path);
	symlinkSync(outside, join(image, "place"));
	if (isRoot) for (const path of [image, outside]) chownSync(path, 1000, 1000);
	const { uid, gid } = statSync(image);
	const map = (outside: number) => [{ inside: 1000, outside, count: 1 }];
	const idMap = { uids: map(uid), gids: map(gid) };
	await using task = await Task.clone({ namespaces: ["user", "mnt", "pid"], idMap });
	task.run(() => {
		setresgid(1000, 1000, 1000);
		setresuid(1000, 1000, 1000);
		const own = { "/image": { source: image, writable: true }, "/image/place/sub": { source: image } };
		expect(() => enterNewRoot(own)).toThrow(SyscallError);
	});
	expect(readdirSync(outside)).toEqual([]);
});

sandbox.describe("the build sandbox", () => {
	test("returns the files of the build, and follows nothing that the build has laid out", async () => {
		writeFileSync(join(folder, "source"), "hello");
		chmodSync(join(folder, "source"), 0o644);
		const script = `
			tr a-z A-Z < source > /out/upper
			ln -s /etc/passwd /out/link; mkfifo /out/fifo; mkdir /out/folder
			! touch source 2> /dev/null
			(setsid sleep 1000 &)
		`;
		const files = await build(script, folder);
		expect([...files].map(([name, data]) => [name, data.toString()])).toEqual([["upper", "HELLO"]]);
	});

	test("rejects when the build fails", async () => {
		await expect(build("exit 3", folder)).rejects.toMatchObject({ code: "ERR_NEARFAR_EXIT" });
	});
});

needs(
	"user namespaces",
	"a /proc and a /sys that nothing hides",
	"the file system overlay",
	"the program ldd",
	"Linux 6.6",
).describe("the layers of an image", () => {
	test("are a root whose changes are gone afterwards", async () => {
		const [app, system] = imageIn(folder);
		const script = `
				cat /hello; echo changed > /hello; cat /hello; echo new > /new; rmdir /old; mkdir /old; touch /old/file; ls /old
				pwd; echo > /dev/null; ls -d /proc/[0-9]* | grep -c .; grep CapEff /proc/self/status
			`;
		const before = readFileSync("/proc/self/mountinfo", "utf8");
		const { stdout, reason } = await runImage([app, system], "sh", ["-c", script]);
		expect(stdout).toMatch(/^hello\nchanged\nfile\n\/\n\d+\nCapEff:\t0+\n$/);
		expect(reason).toBe("exited");
		expect(readFileSync(join(app, "hello"), "utf8")).toBe("hello\n");
		expect(readdirSync(app).sort()).toEqual(["hello", "old"]);
		expect(readdirSync(join(app, "old"))).toEqual([]);
		expect(readFileSync("/proc/self/mountinfo", "utf8")).toBe(before);
	});

	test("lead no mount to the host by a link", async () => {
		const [app, system] = imageIn(folder);
		symlinkSync("/old", join(app, "proc"));
		await expect(runImage([app, system], "true", [])).rejects.toMatchObject({
			code: "EINVAL",
			syscall: "move_mount",
		});
	});
});

needs("/proc").describe("a pid file", () => {
	test("leads to the process that it means, until that has ended", async () => {
		const path = join(folder, "pid");
		const child = spawnNode("sh", ["-c", "trap '' TERM; echo; while :; do sleep 0.1; done"]);
		const reaped = once(child, "exit");
		await once(child.stdout, "data");
		const stat = readFileSync(`/proc/${child.pid}/stat`, "latin1");
		writeFileSync(path, `${child.pid} ${stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]}\n`);
		const signal = AbortSignal.timeout(1);
		await expect(waitForPidFile(path, signal)).rejects.toThrow();
		const end = waitForPidFile(path);
		await stopPidFile(path, 1);
		expect(await end).toEqual({ code: null, signal: "SIGKILL", dumped: false });
		await reaped;
		expect(openPidFile(path)).toBeUndefined();
		await stopPidFile(path);
	});

	test("of another process with the same pid leads nowhere", () => {
		const path = join(folder, "pid");
		writePidFile(path);
		openPidFile(path)?.close();
		writeFileSync(
			path,
			readFileSync(path, "utf8").replace(/\d+\n/, (time) => `${Number(time) + 1}\n`),
		);
		expect(openPidFile(path)).toBeUndefined();
	});
});

needs("root").describe("the privileged service", () => {
	test("serves each connection as another user, with one secret", async () => {
		const secret = join(folder, "secret");
		writeFileSync(secret, "the key\n", { mode: 0o600 });
		chmodSync(folder, 0o755);
		const script = `read line; echo "$line $(id -u) $(id -g) $(id -G)"; cat <&3; cat ${secret} 2>&1 | grep -c denied; grep CapPrm /proc/self/status`;
		const server = createService("sh", ["-c", script], { secret, uid: 65534, gid: 65534 });
		try {
			const answers = await Promise.all([1, 2].map((number) => ask(server, `request ${number}\n`)));
			for (const [index, answer] of answers.entries()) {
				expect(answer).toBe(`request ${index + 1} 65534 65534 65534\nthe key\n1\nCapPrm:\t0000000000000000\n`);
			}
		} finally {
			server.close();
		}
	});

	test("closes the connection when the program cannot be started", async () => {
		const errors: unknown[] = [];
		const server = createService("/no/such", [], {
			secret: "/dev/null",
			uid: 65534,
			gid: 65534,
			onError: (error) => errors.push(error),
		});
		try {
			expect(await ask(server, "")).toBe("");
			expect(errors).toEqual([expect.objectContaining({ code: "ENOENT" })]);
		} finally {
			server.close();
		}
	});
});

describe("the server on a low port", () => {
	const script = 'require("node:net").createServer().listen(80, "0.0.0.0", () => console.log("listening"))';

	needs("root").test("listens on port 80 as another user, and has no other capability in any set", async () => {
		await using container = await Task.clone({ namespaces: ["net"] });
		using network = openat2(`/proc/${container.pid}/ns/net`);
		await using server = await startServer(process.execPath, ["-e", script], "nobody", [network]);
		const [line] = await once(server.stdout as Readable, "data");
		expect(`${line}`).toBe("listening\n");
		const status = readFileSync(`/proc/${server.pid}/status`, "utf8");
		expect(status).toMatch(/^Uid:\t65534\t65534\t65534\t65534\n/m);
		expect(status.match(/^Cap\w+:\t0{13}400$/gm)).toHaveLength(5);
		expect(readFileSync(`/proc/${server.pid}/net/tcp`, "utf8")).toMatch(/ 00000000:0050 00000000:0000 0A /);
	});

	needs("an ordinary user").test(
		"is refused to an ordinary user, and the error says which capability is missing",
		async () => {
			const error = await startServer(process.execPath, ["-e", script], "nobody").catch((error) => error);
			expect(error).toMatchObject({ code: "EPERM", hint: expect.stringContaining("CAP_SETPCAP") });
		},
	);
});

describe("the program with one HTTP server for a network", () => {
	test("gets the answer of the server, and reaches nothing else", async () => {
		const other = createServer().listen(0, "127.0.0.1");
		await once(other, "listening");
		const { port } = other.address() as AddressInfo;
		const script = `
			const { get } = require("node:http");
			get("http://127.0.0.1:${port}").on("error", (error) => {
				if (error.code !== "ECONNREFUSED") throw error;
				get("http://127.0.0.1/page", (response) => response.on("data", (data) => process.exit(data == "/page" ? 7 : 1)));
			});`;
		try {
			const status = await runWithServer(process.execPath, ["-e", script], ({ url }, response) => response.end(url));
			expect(status).toEqual({ code: 7, signal: null, dumped: false });
		} finally {
			other.close();
		}
	});

	test("a program that does not exist rejects, and ends the server", async () => {
		await expect(runWithServer("/no/such", [], () => {})).rejects.toMatchObject({ code: "ENOENT", syscall: "execve" });
	});
});

describe("the Node that gives root up", () => {
	/** Runs the recipe in a Node of its own, as plain JavaScript, and returns what that Node prints. */
	function giveUp(user: string): { stdout: string; stderr: string; status: number | null } {
		const file = writeProgram(
			"give-up-root.ts",
			`
			import { threadStatus } from "${new URL("../test/threads.mjs", import.meta.url)}";
			const server = await listenAndGiveUpRoot(0, "${user}", ["netBindService"], (_, response) => response.end("served"));
			const lines = threadStatus().map((status) => status.match(/^(Uid|Groups|Cap...|NoNewPrivs):.*$/gm).join(" "));
			const answer = await fetch("http://127.0.0.1:" + server.address().port);
			console.log(await answer.text(), lines.length > 1, [...new Set(lines)].join("; "));
			process.exit();
		`,
		);
		return spawnSync(process.execPath, [file], { encoding: "utf8" });
	}

	needs("root").test("serves as another user, with one capability in every thread", () => {
		const { stdout, stderr } = giveUp("nobody");
		expect(stderr).toBe("");
		expect(stdout).toMatch(/^served true Uid:\t65534\t65534\t65534\t65534 Groups:\t65534 [^;]*NoNewPrivs:\t1\n$/);
		const sets = stdout.match(/Cap...:\t\w+/g)?.map((set) => set.replace(/\t0*/, ""));
		expect(sets).toEqual(["CapInh:", "CapPrm:400", "CapEff:400", "CapBnd:400", "CapAmb:"]);
	});

	needs("an ordinary user").test("ends for an ordinary user, with a message", () => {
		const { stdout, stderr, status } = giveUp("nobody");
		expect([stdout, status]).toEqual(["", 1]);
		expect(stderr).toContain("EPERM");
	});
});

describe("all ids of a user", () => {
	test("are the own one as 0, and the ranges after it", () => {
		const ranges = [
			{ start: 100_000, count: 10 },
			{ start: 200_000, count: 5 },
		];
		expect(`${mapAll(1000, ranges)}`).toBe("0 1000 1\n1 100000 10\n11 200000 5\n");
		expect(`${mapAll(100_000, ranges)}`).toBe("0 100000 10\n10 200000 5\n");
		expect(`${mapAll(1000, [])}`).toBe("0 1000 1\n");
	});

	test("are mapped for this user", async () => {
		await using task = await cloneWithAllIds();
		expect(IdMap.of(task, "uids").toInside(process.geteuid?.() ?? 0)).toBe(0);
	});

	needs("root", "newuidmap and newgidmap with their bits").test("are mapped for an ordinary user", async () => {
		const etc = join(folder, "etc");
		mkdirSync(etc);
		const lines = {
			passwd: "root:x:0:0::/:/bin/sh\nanna:x:1000:1000::/:/bin/sh\n",
			group: "root:x:0:\nanna:x:1000:\n",
			subuid: "1000:100000:10\nanna:200000:5\n",
			subgid: "anna:300000:20\n",
		};
		for (const [name, text] of Object.entries(lines)) writeFileSync(join(etc, name), text);
		const file = writeProgram(
			"all-ids.ts",
			`
			const task = await cloneWithAllIds({ namespaces: ["uts"] });
			const maps = ["uids", "gids"].map((ids) => String(IdMap.of(task, ids)));
			console.log(JSON.stringify(maps));
			await task[Symbol.asyncDispose]();
		`,
		);
		const script = 'mount --bind etc /etc && exec setpriv --reuid 1000 --regid 1000 --clear-groups "$@"';
		const words = ["--mount", "sh", "-c", script, "sh", process.execPath, file];
		const { stdout, stderr, status } = spawnSync("unshare", words, { cwd: folder, encoding: "utf8" });
		expect({ stderr, status }).toMatchObject({ status: 0 });
		expect(JSON.parse(stdout)).toEqual(["0 1000 1\n1 100000 10\n11 200000 5\n", "0 1000 1\n1 300000 20\n"]);
	});
});

/** Writes a program of plain JavaScript: a recipe, and lines after it. Returns its path. */
function writeProgram(recipe: string, end: string): string {
	const source = readFileSync(join(recipes, recipe), "utf8");
	const compilerOptions = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext };
	symlinkSync(join(recipes, "../../node_modules"), join(folder, "node_modules"));
	const file = join(folder, "program.mjs");
	writeFileSync(file, ts.transpileModule(source, { compilerOptions }).outputText + end);
	return file;
}

/** Makes two layers of an image: an application, and a system with a few programs of this host and their libraries. */
function imageIn(folder: string): [app: string, system: string] {
	const [app, system] = [join(folder, "app"), join(folder, "system")];
	mkdirSync(join(app, "old"), { recursive: true });
	writeFileSync(join(app, "hello"), "hello\n");
	if (isRoot) for (const path of ["", "hello", "old"]) chownSync(join(app, path), 1000, 1000);
	const copy = `for program in sh cat ls grep touch mkdir rmdir; do
		path=$(command -v $program)
		for file in $path $(ldd $path | grep -o '/[^ ]*'); do mkdir -p "$0$(dirname $file)"; cp -L $file "$0$file"; done
	done`;
	expect(spawnSync("sh", ["-c", copy, system]).status).toBe(0);
	return [app, system];
}

/** Sends a request to a server, and returns the whole answer. */
async function ask(server: Server, request: string): Promise<string> {
	if (!server.listening) {
		server.listen(0, "127.0.0.1");
	}
	while (!server.address()) await once(server, "listening");
	const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
	client.write(request);
	return text(client);
}

test("a program without network cannot connect, and has its files and Unix sockets", async () => {
	const script = `
		const net = require("node:net");
		const server = net.createServer().listen("\\0nearfar-offline-" + process.pid, () => server.close());
		net.connect(9, "127.0.0.1").on("error", ({ code, syscall }) => console.log(code, syscall));
		require("node:dgram").createSocket("udp6").on("error", ({ code }) => console.log(code)).bind(0);
		process.on("exit", () => console.log(process.cwd()));
	`;
	const { stdout, stderr, code } = await runOffline(process.execPath, ["-e", script], folder);
	expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
	expect(stdout.split("\n").sort()).toEqual(["", "EACCES", "EACCES connect", folder].sort());
});
