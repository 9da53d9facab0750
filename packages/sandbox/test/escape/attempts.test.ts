import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
	chmodSync,
	chownSync,
	closeSync,
	copyFileSync,
	mkdirSync,
	mkdtempSync,
	openSync,
	realpathSync,
	rmSync,
	writeFileSync,
} from "node:fs";
import { type AddressInfo, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { fileCapabilities } from "@nearfar/caps";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isRoot, needs, skipUnless } from "../../../../test/needs.ts";
import { run, Sandbox, type SandboxOptions } from "../../src/index.ts";
import "../attempts.ts"; // it opens what lives as long as the process
import { hashOf } from "./hash.ts";
import { rows } from "./rows.ts";
import { showTable } from "./table.ts";

const hostile = fileURLToPath(new URL("../fixtures/hostile.py", import.meta.url));
const python = "/usr/bin/python3";
const NUMBER = 9; // of the descriptor that a program outside gets

type Outcomes = Record<string, string>;

/** What the attempts are made on. */
interface Scene {
	readonly host: string;
	readonly work: string;
	readonly shown: string;
	readonly servers: Server[];
	readonly processes: ChildProcess[];
	readonly given: Record<string, unknown>;
}

/** Makes a tree of the host, servers and processes that a program is not to reach. */
async function makeScene(): Promise<Scene> {
	const host = realpathSync(mkdtempSync(join(tmpdir(), "nearfar-escape-")));
	const [work, shown] = [join(host, "work"), join(host, "shown")];
	for (const path of [join(work, "keys"), join(work, ".git/hooks"), shown]) mkdirSync(path, { recursive: true });
	const contents = ["secret", "shown/file", "work/keys/id", "work/.git/hooks/pre-commit", "work/file"];
	for (const path of contents) writeFileSync(join(host, path), "secret");
	// The modes allow everything, so that nothing but the sandbox refuses it.
	for (const path of ["", "shown", "work", "work/keys"]) chmodSync(join(host, path), 0o777);
	for (const path of contents) chmodSync(join(host, path), 0o666);
	if (isRoot) addPrograms(shown);
	const abstract = `nearfar-escape-${process.pid}`;
	const servers = [join(shown, "socket"), `\0${abstract}`].map((path) => listen(path));
	const tcp = listen({ port: 0, host: "127.0.0.1" });
	await Promise.all([...servers, tcp].map((server) => once(server, "listening")));
	chmodSync(join(shown, "socket"), 0o777);
	const victim = spawn("unshare", ["-Urmn", "sh", "-c", "echo ready; exec sleep 1000"], {
		stdio: ["ignore", "pipe", "ignore"],
	});
	const other = spawn("sleep", ["1000"], { stdio: "ignore" });
	await Promise.all([once(victim.stdout, "data"), once(other, "spawn")]);
	const { port } = tcp.address() as AddressInfo;
	const given = { host, work, shown, port, abstract, process: other.pid, victim: victim.pid, descriptor: NUMBER };
	return { host, work, shown, servers: [...servers, tcp], processes: [victim, other], given };
}

/** Adds programs that give privileges to whoever executes them outside. */
function addPrograms(shown: string): void {
	for (const name of ["setuid", "capable"]) copyFileSync(realpathSync("/usr/bin/cat"), join(shown, name));
	chownSync(join(shown, "setuid"), 1, 1);
	chmodSync(join(shown, "setuid"), 0o4755);
	chmodSync(join(shown, "capable"), 0o755);
	fileCapabilities.write(join(shown, "capable"), { permitted: ["netRaw"], inheritable: ["netRaw"] });
}

function listen(at: string | { port: number; host: string }): Server {
	return createServer((socket) => socket.on("error", () => {}).end()).listen(at);
}

function makeAttemptsOutside({ given, host }: Scene): Outcomes {
	const descriptor = openSync(join(host, "secret"), "r");
	const stdio = ["ignore", "pipe", "inherit", ...Array(NUMBER - 3).fill("ignore"), descriptor] as const;
	const env = { ...process.env, NEARFAR_SECRET: "secret" };
	const { stdout } = spawnSync(python, [hostile, JSON.stringify(given)], { stdio: [...stdio], env, encoding: "utf8" });
	closeSync(descriptor);
	return JSON.parse(stdout);
}

/** The options under which the attempts are made. */
function optionsFor({ work, shown }: Scene): SandboxOptions {
	return {
		preset: "closed",
		read: ["/usr", "/bin?", "/sbin?", "/lib?", "/lib64?", "/etc", "/sys", shown, hostile],
		write: [work],
		hide: [join(work, "keys")],
		protect: [".git/hooks"],
	};
}

async function makeAttempts(scene: Scene, more: SandboxOptions): Promise<Outcomes> {
	const given = JSON.stringify({ ...scene.given, victim: null });
	const { stdout } = (await run(python, [hostile, given], { ...optionsFor(scene), ...more })).check();
	return JSON.parse(stdout);
}

async function makeAttemptsInOpenSandbox(scene: Scene): Promise<Outcomes> {
	await using sandbox = await Sandbox.open(optionsFor(scene));
	const given = JSON.stringify({ ...scene.given, victim: null });
	return JSON.parse((await sandbox.run(python, [hostile, given])).check().stdout);
}

needs(`the program ${python.slice("/usr/bin/".length)}`).describe("attempts to get out", () => {
	let scene: Scene;
	let found: { outside: Outcomes; inside: Outcomes; open: Outcomes; unfiltered: Outcomes };
	let hashes: string[];

	beforeAll(async () => {
		process.env.NEARFAR_SECRET = "secret";
		scene = await makeScene();
		const outside = makeAttemptsOutside(scene);
		const before = hashOf(scene.host);
		const inside = await makeAttempts(scene, {});
		const open = await makeAttemptsInOpenSandbox(scene);
		const unfiltered = await makeAttempts(scene, { syscalls: "all" });
		hashes = [before, hashOf(scene.host)];
		found = { outside, inside, open, unfiltered };
		showTable(rows, found);
	}, 120_000);

	afterAll(async () => {
		delete process.env.NEARFAR_SECRET;
		for (const server of scene.servers) server.close();
		for (const child of scene.processes) {
			if (child.exitCode === null) child.kill("SIGKILL");
			if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
		}
		rmSync(scene.host, { recursive: true });
	});

	test("every attempt of the program has a row, and each row an attempt", () => {
		expect(Object.keys(found.inside).toSorted()).toEqual(rows.map(({ attempt }) => attempt).toSorted());
	});

	test("no attempt changes the tree of the host: names, modes, owners, bytes, attributes", () => {
		expect(hashes[1]).toBe(hashes[0]);
	});

	describe.each([1, 2, 3, 4, 5, 6, 7, 8, 10, 11])("guarantee %i", (number) => {
		const own = rows.filter(({ guarantee }) => guarantee === number);
		test.each(own.map((row) => [row.attempt.replaceAll("_", " "), row] as const))("%s", (_, { attempt, byFilter }) => {
			const { outside, inside, open, unfiltered } = found;
			skipUnless(outside[attempt] === "done", `a host that allows it outside, and not ${outside[attempt]}`);
			expect([inside[attempt], open[attempt]]).not.toContain("done");
			// What the filter alone refuses shows that the filter is what refuses it.
			if (!byFilter) expect(unfiltered[attempt]).not.toBe("done");
		});
	});
});
