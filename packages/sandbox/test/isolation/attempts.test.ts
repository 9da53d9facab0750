import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
	chmodSync,
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
import { afterAll, beforeAll, expect, test } from "vitest";
import { has, isRoot, needs, skipUnless } from "../../../../test/needs.ts";
import { run, Sandbox, type SandboxOptions } from "../../src/index.ts";
import "../attempts.ts"; // it opens what lives as long as the process
import { hashOf } from "../escape/hash.ts";
import { rows } from "../escape/rows.ts";
import { landlock } from "./landlock.ts";

const python = "/usr/bin/python3";
const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));
const programs = [fixture("hostile.py"), fixture("hostile-neighbour.py")] as const;
const NUMBER = 9; // of the descriptor that a program outside gets

type Outcomes = Record<string, string>;

/** What the table of api-limits gives up: the attempts succeed, and that is said. */
const shown = [
	...["chmod_in_read", "setxattr_in_read", "look_at_a_process_outside", "open_a_process_outside"],
	"list_the_descriptors_of_process_1",
];
const gone: ReadonlySet<string> = new Set([
	...shown,
	// Root is what it is already, without capabilities. An ordinary user cannot empty the bounding set, of which nothing comes back.
	isRoot ? "become_root" : "have_a_capability",
	...["find_a_way_out_of_the_network", "read_the_passwords", "read_the_list_of_keys"],
	// What is hidden or protected has no place of its own.
	...rows.map(({ attempt }) => attempt).filter((attempt) => /_hidden_|_protected_/.test(attempt)),
]);
/** What needs ABI 6: below it a program signals every process of its user. */
const bySignal: ReadonlySet<string> = new Set([
	...["signal_a_process_outside", "stop_process_1", "signal_a_process_by_its_descriptor", "queue_a_signal"],
	"signal_the_process_above",
]);

interface Scene {
	readonly host: string;
	readonly options: SandboxOptions;
	readonly servers: Server[];
	readonly processes: ChildProcess[];
	readonly given: Record<string, unknown>;
}

async function makeScene(): Promise<Scene> {
	const host = realpathSync(mkdtempSync(join(tmpdir(), "nearfar-isolation-")));
	const [work, shown] = [join(host, "work"), join(host, "shown")];
	for (const path of [join(work, "keys"), join(work, ".git/hooks"), shown]) mkdirSync(path, { recursive: true });
	const contents = ["secret", "shown/file", "work/keys/id", "work/.git/hooks/pre-commit", "work/file"];
	for (const path of contents) writeFileSync(join(host, path), "secret");
	copyFileSync("/usr/bin/true", join(host, "program"));
	for (const path of ["", "shown", "work", "work/keys", "program"]) chmodSync(join(host, path), 0o777);
	for (const path of contents) chmodSync(join(host, path), 0o666);
	const abstract = `nearfar-isolation-${process.pid}`;
	const servers = [join(shown, "socket"), `\0${abstract}`].map((path) => listen(path));
	const tcp = listen({ port: 0, host: "127.0.0.1" });
	await Promise.all([...servers, tcp].map((server) => once(server, "listening")));
	const victim = spawn("sleep", ["1000"], { stdio: "ignore" });
	const other = spawn("sleep", ["1000"], { stdio: "ignore", detached: true });
	const datagrams = spawn(python, ["-c", datagramServer, join(shown, "datagrams")], {
		stdio: ["ignore", "pipe", "inherit"],
	});
	await Promise.all([once(victim, "spawn"), once(other, "spawn"), once(datagrams.stdout, "data")]);
	const { port } = tcp.address() as AddressInfo;
	const given = { host, work, shown, port, abstract, process: other.pid, victim: victim.pid, descriptor: NUMBER };
	const options: SandboxOptions = {
		...landlock,
		read: ["/usr", "/bin?", "/sbin?", "/lib?", "/lib64?", "/etc", "/sys", shown, ...programs],
		write: [work],
	};
	return { host, options, servers: [...servers, tcp], processes: [victim, other, datagrams], given };
}

const datagramServer =
	"import socket,sys,time; s=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM); s.bind(sys.argv[1]); print('ready',flush=True); time.sleep(1000)";

function listen(at: string | { port: number; host: string }): Server {
	return createServer((socket) =>
		socket
			.on("error", () => {})
			.resume()
			.end(),
	).listen(at);
}

/** Starts a program outside with everything that a caller could leave to it. */
function outside({ given, host }: Scene): Outcomes {
	const descriptor = openSync(join(host, "secret"), "r");
	const stdio = ["ignore", "pipe", "inherit", ...Array(NUMBER - 3).fill("ignore"), descriptor];
	const found = programs.map((program) => {
		const words = [program, JSON.stringify({ ...given, outside: true })];
		return JSON.parse(spawnSync(python, words, { stdio, encoding: "utf8" }).stdout);
	});
	closeSync(descriptor);
	return Object.assign({}, ...found);
}

async function inside({ given, options }: Scene, more: SandboxOptions = {}): Promise<Outcomes> {
	const words = JSON.stringify({ ...given, outside: false });
	const found = programs.map(
		async (program) => (await run(python, [program, words], { ...options, ...more })).check().stdout,
	);
	return Object.assign({}, ...(await Promise.all(found)).map((text) => JSON.parse(text)));
}

async function insideOfOpen({ given, options }: Scene): Promise<Outcomes> {
	await using sandbox = await Sandbox.open(options);
	const words = JSON.stringify({ ...given, outside: false });
	const found = programs.map(async (program) => (await sandbox.run(python, [program, words])).check().stdout);
	return Object.assign({}, ...(await Promise.all(found)).map((text) => JSON.parse(text)));
}

needs("ABI 4 of Landlock", "the program python3").describe(
	"attempts to get out of a sandbox without namespaces",
	() => {
		let scene: Scene;
		let found: { outside: Outcomes; inside: Outcomes; open: Outcomes; proxy: Outcomes };
		let hashes: string[];

		beforeAll(async () => {
			process.env.NEARFAR_SECRET = "secret";
			scene = await makeScene();
			const first = outside(scene);
			const before = hashOf(scene.host);
			const [once, open, proxy] = [
				await inside(scene),
				await insideOfOpen(scene),
				await inside(scene, { network: { allow: ["example.com"] } }),
			];
			hashes = [before, hashOf(scene.host)];
			found = { outside: first, inside: once, open, proxy };
		}, 120_000);

		afterAll(async () => {
			delete process.env.NEARFAR_SECRET;
			for (const server of scene.servers) server.close();
			for (const child of scene.processes) {
				child.stdout?.destroy();
				child.kill("SIGKILL");
				if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
			}
			rmSync(scene.host, { recursive: true });
		});

		test("no attempt changes the tree of the host", () => {
			expect(hashes[1]).toBe(hashes[0]);
		});

		test("what the table gives up works: names and attributes, own modes, the processes outside in sight", () => {
			for (const name of shown) expect([name, found.inside[name]]).toEqual([name, found.outside[name]]);
		});

		test("each attempt that the table does not give up succeeds outside, and is refused in every sandbox", () => {
			const names = Object.keys(found.outside).filter((name) => !gone.has(name));
			expect(names.length).toBeGreaterThan(90);
			const tried = names.filter((name) => found.outside[name] === "done");
			expect(tried.length).toBeGreaterThan(60);
			const hasScope = has("ABI 6 of Landlock");
			const through = tried.filter((name) => {
				if (!hasScope && bySignal.has(name)) return false;
				return [found.inside, found.open, found.proxy].some((outcomes) => outcomes[name] === "done");
			});
			expect(through).toEqual([]);
		});

		test("below ABI 6 a program signals processes outside, and guarantees say so", async () => {
			skipUnless(!has("ABI 6 of Landlock"), "a kernel without scopes");
			expect(found.inside.signal_a_process_outside).toBe("done");
			const { guarantees } = await run("true", [], scene.options);
			expect(guarantees.processes).toEqual({ relaxed: expect.stringContaining("signal") });
		});
	},
);
