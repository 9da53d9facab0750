import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, copyFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { has, isRoot, needs, skipUnless } from "../../../../test/needs.ts";
import { run, Sandbox, type SandboxOptions } from "../../src/index.ts";
import "../attempts.ts"; // it opens what lives as long as the process
import { hashOf } from "../escape/hash.ts";
import { rows } from "../escape/rows.ts";
import { attemptsOutside, endScene, makeScene, type Outcomes, programs, python, type Scene } from "../escape/scene.ts";
import { landlock } from "./landlock.ts";

const hostile = ["hostile.py", "hostile-neighbour.py"];

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

const datagramServer =
	"import socket,sys,time; s=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM); s.bind(sys.argv[1]); print('ready',flush=True); time.sleep(1000)";

/** Makes the scene, with a program that is not shown and a server of datagrams. */
async function makeOwnScene(): Promise<Scene> {
	const scene = await makeScene("isolation", [], true);
	copyFileSync("/usr/bin/true", join(scene.host, "program"));
	chmodSync(join(scene.host, "program"), 0o777);
	const datagrams = spawn(python, ["-c", datagramServer, join(scene.shown, "datagrams")], {
		stdio: ["ignore", "pipe", "inherit"],
	});
	scene.processes.push(datagrams);
	await once(datagrams.stdout, "data");
	return scene;
}

function optionsFor({ work, shown }: Scene): SandboxOptions {
	return {
		...landlock,
		read: ["/usr", "/bin?", "/sbin?", "/lib?", "/lib64?", "/etc", "/sys", shown, programs],
		write: [work],
	};
}

function outside({ given }: Scene): Outcomes {
	return Object.assign({}, ...hostile.map((program) => attemptsOutside(program, { ...given, outside: true })));
}

/** Runs the hostile programs at once, each by `execute`. */
async function made({ given }: Scene, execute: (args: string[]) => ReturnType<Sandbox["run"]>): Promise<Outcomes> {
	const words = JSON.stringify({ ...given, outside: false });
	const results = await Promise.all(hostile.map((program) => execute([join(programs, program), words])));
	return Object.assign({}, ...results.map((result) => JSON.parse(`${result.check().stdout}`)));
}

function inside(scene: Scene, more: SandboxOptions = {}): Promise<Outcomes> {
	return made(scene, (args) => run(python, args, { ...optionsFor(scene), ...more }));
}

async function insideOfOpen(scene: Scene): Promise<Outcomes> {
	await using sandbox = await Sandbox.open(optionsFor(scene));
	return await made(scene, (args) => sandbox.run(python, args));
}

needs("ABI 4 of Landlock", "the program python3").describe(
	"attempts to get out of a sandbox without namespaces",
	() => {
		let scene: Scene;
		let found: { outside: Outcomes; inside: Outcomes; open: Outcomes; proxy: Outcomes };
		let hashes: string[];

		beforeAll(async () => {
			process.env.NEARFAR_SECRET = "secret";
			scene = await makeOwnScene();
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
			await endScene(scene);
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
			const { guarantees } = await run("true", [], optionsFor(scene));
			expect(guarantees.processes).toEqual({ relaxed: expect.stringContaining("signal") });
		});
	},
);
