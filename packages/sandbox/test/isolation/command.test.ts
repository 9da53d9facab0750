import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { expect } from "vitest";
import { fixturePath } from "../../../../test/fixture.ts";
import { has, needs } from "../../../../test/needs.ts";
import { plan, run, Sandbox, start } from "../../src/index.ts";
import { folder } from "../attempts.ts";
import { inside, landlock, succeeds } from "./landlock.ts";

const { test: withLandlock } = needs("ABI 3 of Landlock");
const { test: withPython } = needs("ABI 3 of Landlock", "the program python3");
const { test: withNetwork } = needs("ABI 4 of Landlock", "the program python3");
const { test: withScope } = needs("ABI 6 of Landlock");

withLandlock("run, start and Sandbox.open work, and the guarantees say what is missing", async () => {
	const { guarantees, stdout } = (await run("echo", ["one"], landlock)).check();
	expect(stdout).toBe("one\n");
	for (const name of ["files", "root", "processes", "ids", "kernelFiles"] as const) {
		expect([name, guarantees[name]]).toEqual([name, { relaxed: expect.stringContaining('isolation: "landlock"') }]);
	}
	expect(guarantees).toMatchObject({ network: true, systemCalls: true, inherited: true, environment: true });
	const child = await start("cat", [], landlock);
	child.stdin?.end("two");
	child.stdout?.resume();
	expect((await child.result).code).toBe(0);
	await using sandbox = await Sandbox.open(landlock);
	(await sandbox.run("sh", ["-c", "echo kept > $TMPDIR/note"])).check();
	expect((await sandbox.run("sh", ["-c", "cat $TMPDIR/note"])).stdout).toBe("kept\n");
	expect(sandbox.guarantees).toEqual(guarantees);
});

withLandlock("a command has no capability and gets none", async () => {
	const sets = await inside(
		"grep -E '^(CapInh|CapPrm|CapEff|CapAmb|NoNewPrivs)' /proc/self/status | cut -f2 | tr '\\n' ' '",
	);
	expect(sets).toBe(`${"0000000000000000 ".repeat(4)}1`);
});

withLandlock("commands of one Sandbox signal each other, and end with it", async () => {
	let pid: number;
	{
		await using sandbox = await Sandbox.open(landlock);
		pid = Number((await sandbox.run("sh", ["-c", "setsid sleep 1000 > /dev/null & echo $!"])).stdout);
		expect((await sandbox.run("sh", ["-c", `kill -0 ${pid}`])).code).toBe(0);
		expect(existsSync(`/proc/${pid}`)).toBe(true);
	}
	expect(existsSync(`/proc/${pid}`)).toBe(false);
});

withLandlock(
	"TMPDIR and HOME are a new directory of mode 700, which is gone afterwards, whatever a program has made of it",
	async () => {
		const script = `
		stat -c '%a %u' $TMPDIR; echo $TMPDIR; cd $HOME && pwd
		mkdir -p $TMPDIR/a/b/c/d && touch $TMPDIR/a/b/c/d/e && ln -s / $TMPDIR/link && mkfifo $TMPDIR/fifo
		chmod 000 $TMPDIR/a/b/c/d $TMPDIR/a/b $TMPDIR/a && chmod 500 $TMPDIR
	`;
		const [mode, path, home] = (await inside(script)).split("\n");
		expect(mode).toBe(`700 ${process.geteuid?.()}`);
		expect(home).toBe(`${path}/home`);
		expect(existsSync(`${path}`)).toBe(false);
	},
);

withLandlock("what a Node that was killed has left behind, the next one removes", async () => {
	const node = spawn(process.execPath, [fixturePath("sandbox/confined"), JSON.stringify(landlock)], {
		stdio: ["ignore", "pipe", "inherit"],
	});
	const [path] = `${(await once(node.stdout, "data"))[0]}`.split("\n");
	expect(statSync(`${path}`).isDirectory()).toBe(true);
	node.kill("SIGKILL");
	await once(node, "close");
	expect(existsSync(`${path}`)).toBe(true);
	const again = spawn(process.execPath, [fixturePath("sandbox/confined"), JSON.stringify(landlock)], {
		stdio: ["ignore", "pipe", "inherit"],
	});
	await once(again.stdout, "data");
	again.kill("SIGKILL");
	await once(again, "close");
	expect(existsSync(`${path}`)).toBe(false);
});

withScope("a program in a new session ends with the command, with the Sandbox, and with Node", async () => {
	const script = `mkfifo $TMPDIR/pid; setsid sh -c 'trap "" TERM HUP INT; echo $$ > $TMPDIR/pid; exec sleep 1000 > /dev/null' & cat $TMPDIR/pid`;
	const pid = Number(await inside(script));
	expect(pid).toBeGreaterThan(1);
	expect(existsSync(`/proc/${pid}`)).toBe(false);
	const node = spawn(process.execPath, [fixturePath("sandbox/confined"), JSON.stringify(landlock)], {
		stdio: ["ignore", "pipe", "inherit"],
	});
	const [path, last] = `${(await once(node.stdout, "data"))[0]}`.split("\n");
	expect(existsSync(`/proc/${last}`)).toBe(true);
	node.kill("SIGKILL");
	await once(node, "close");
	await expect.poll(() => existsSync(`/proc/${last}`)).toBe(false);
	expect(dirname(`${path}`)).not.toBe("/");
});

withLandlock("the working directory of a command has to be allowed", async () => {
	const at = folder();
	expect(await inside("pwd", { write: [at], cwd: at })).toBe(at);
	await using sandbox = await Sandbox.open({ ...landlock, write: [at] });
	expect((await sandbox.run("pwd", [], { cwd: at })).stdout).toBe(`${at}\n`);
	await expect(sandbox.run("pwd", [], { cwd: dirname(at) })).rejects.toMatchObject({
		code: "ERR_NEARFAR_SANDBOX_PATH",
	});
	expect(() => plan({ ...landlock, cwd: at })).toThrow("is not visible");
});

withLandlock("a file that is allowed is all of its folder that is", async () => {
	const at = folder();
	writeFileSync(join(at, "file"), "seen");
	expect(await inside(`cat ${at}/file`, { read: ["/usr", "/lib?", "/lib64?", "/bin?", join(at, "file")] })).toBe(
		"seen",
	);
	expect(await succeeds(`ls ${at}`, { read: ["/usr", "/lib?", "/lib64?", "/bin?", join(at, "file")] })).toBe(false);
});

withLandlock("missing protected files that appear are reported and removed, also without protect", async () => {
	const at = folder();
	const options = { ...landlock, write: [at], protect: [".git/hooks"], protectMissing: "remove" } as const;
	const { violations } = await run(
		"sh",
		["-c", `mkdir -p ${at}/.git/hooks; echo x > ${at}/.git/hooks/pre-commit`],
		options,
	);
	expect(violations).toContainEqual(expect.objectContaining({ kind: "appeared", what: join(at, ".git/hooks") }));
	expect(existsSync(join(at, ".git/hooks"))).toBe(false);
});

withLandlock("a terminal is the controlling terminal, and /dev/tty opens it", async () => {
	const result = await run(
		"sh",
		["-c", "test -t 0 && stty size && echo typed > /dev/tty; ps -o tty= -p $$ 2>/dev/null; exit 3"],
		{
			...landlock,
			tty: { columns: 100, rows: 30 },
		},
	);
	expect(result.stdout).toContain("30 100\r\ntyped\r\n");
	expect(result.code).toBe(3);
	await using sandbox = await Sandbox.open(landlock);
	const other = await sandbox.run("sh", ["-c", "stty size > /dev/tty"], { tty: { columns: 90, rows: 20 } });
	expect(other.stdout).toBe("20 90\r\n");
});

withLandlock("limits of time, output and files count as ever", async () => {
	const { reason } = await run("sleep", ["1000"], { ...landlock, limits: { time: 200, grace: 0 } });
	expect(reason).toBe("timeout");
	expect((await run("yes", [], { ...landlock, limits: { output: 1000 } })).reason).toBe("output");
	expect(
		(await run("sh", ["-c", "head -c 4096 /dev/zero > $TMPDIR/large"], { ...landlock, limits: { fileSize: 1024 } }))
			.code,
	).not.toBe(0);
});

withNetwork(
	"CONNECT, GET and a refusal go through the proxy, which wants the password that the environment has",
	async () => {
		const server = createServer((_, response) => response.end("hello")).listen(0, "127.0.0.1");
		await once(server, "listening");
		const { port } = server.address() as AddressInfo;
		const get = (url: string, more = "") =>
			`python3 -c 'import os,urllib.request as r; ${more}print(r.urlopen("${url}",timeout=5).read().decode())'`;
		const url = `http://127.0.0.1:${port}/`;
		const network = { allow: [`127.0.0.1:${port}`] };
		try {
			expect(await inside(get(url), { network })).toBe("hello");
			const refused = await run("sh", ["-c", get("http://127.0.0.1:1/")], { ...landlock, network });
			expect(refused.code).not.toBe(0);
			expect(refused.violations).toContainEqual(expect.objectContaining({ kind: "connect", what: "127.0.0.1:1" }));
			expect(refused.guarantees.network).toEqual({
				relaxed: expect.stringContaining("port of the proxy at any address"),
			});
			const direct = `python3 -c 'import socket; socket.create_connection(("127.0.0.1",${port}),2)'`;
			expect(await succeeds(direct, { network })).toBe(false);
			await using sandbox = await Sandbox.open({ ...landlock, network });
			const { stdout } = await sandbox.run("sh", ["-c", "echo $http_proxy"]);
			const proxy = new URL(stdout.trim());
			expect(proxy.username).toBe("nearfar");
			const answer = await fetchBy(proxy.port, url);
			expect(answer).toMatch(/^HTTP\/1\.1 407 /);
			expect(answer).toContain("Proxy-Authenticate: Basic");
		} finally {
			server.close();
		}
	},
);

/** Asks a proxy for a URL, without a password, and returns the answer. */
async function fetchBy(port: string, url: string): Promise<string> {
	const { connect } = await import("node:net");
	const socket = connect(Number(port), "127.0.0.1");
	socket.end(`GET ${url} HTTP/1.1\r\nHost: a\r\n\r\n`);
	let text = "";
	for await (const chunk of socket) text += chunk;
	return text;
}

withPython('network: "host" is the network of the caller', async () => {
	const server = createServer((_, response) => response.end("hello")).listen(0, "127.0.0.1");
	await once(server, "listening");
	const { port } = server.address() as AddressInfo;
	try {
		const script = `python3 -c 'import urllib.request as r; print(r.urlopen("http://127.0.0.1:${port}/",timeout=5).read().decode())'`;
		expect(await inside(script, { network: "host" })).toBe("hello");
	} finally {
		server.close();
	}
});

withLandlock("two sandboxes cannot reach each other's folder or processes", async () => {
	await using one = await Sandbox.open(landlock);
	await using two = await Sandbox.open(landlock);
	const [path, pid] = (
		await one.run("sh", ["-c", "echo $TMPDIR; echo secret > $TMPDIR/x; sleep 1000 > /dev/null & echo $!"])
	).stdout.split("\n");
	expect((await two.run("cat", [`${path}/x`])).code).not.toBe(0);
	if (has("ABI 6 of Landlock")) expect((await two.run("kill", ["-0", `${pid}`])).code).not.toBe(0);
	expect((await two.run("sh", ["-c", `cat /proc/${pid}/environ`])).code).not.toBe(0);
});
