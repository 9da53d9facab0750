// Attacks that need more than the hostile program: a sandbox without one of its lines, a partner on the host, links in what
// the sandbox shows, and a host without a /tmp.
import { spawn, spawnSync } from "node:child_process";
import {
	chmodSync,
	closeSync,
	cpSync,
	mkdirSync,
	mkdtempSync,
	openSync,
	readdirSync,
	readFileSync,
	readlinkSync,
	renameSync,
	rmSync,
	statSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { type ChildProcess, Location, mkdir, symlink, Task } from "@nearfar/core";
import { bind, enterRoot, mountSetattr, moveMount, tmpfs } from "@nearfar/mount";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { isRoot, needs } from "../test/needs.ts";
import { homeOfCaller } from "./host.ts";
import type { Knowledge } from "./hostile.ts";
import { ended, isolateFile, startInSandbox, succeeded } from "./sandbox-process.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const hostileFile = join(dirname(isolateFile), "hostile.js");
let folder = "";

beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), "nearfar-attacks-"));
	chmodSync(folder, 0o777); // if root runs the test, the sandbox runs as another user
});
afterEach(() => rmSync(folder, { recursive: true }));

needs("an ordinary user").test("outside of the sandbox the hostile program succeeds: it is no strawman", async () => {
	const server = createServer().listen(0, "127.0.0.1");
	await new Promise((resolve) => server.once("listening", resolve));
	const id = (path: string) => `${statSync(path).dev}:${statSync(path).ino}`;
	const { port } = server.address() as AddressInfo;
	const home = homeOfCaller();
	const marker = join(folder, "marker");
	writeFileSync(marker, "untouched");
	const knowledge: Knowledge = { home, homeId: id(home), rootId: id("/"), marker, port };
	const program = readFileSync(hostileFile, "utf8");
	// The program inherits a descriptor of the root.
	const stdio = ["ignore", "pipe", "inherit", openSync("/", "r")] as const;
	const command = ["--input-type=module", "--eval", program, JSON.stringify(knowledge)];
	const child = spawn(process.execPath, command, { stdio: [...stdio] });
	closeSync(stdio[3]);
	let output = "";
	child.stdout?.on("data", (data) => {
		output += data;
	});
	expect(await ended(child)).toEqual([1, null]);
	server.close();
	expect(succeeded(output)).toEqual(
		expect.arrayContaining([
			"read the caller's home",
			"find the old root above",
			"reach a file by its path",
			"reach a file above /",
			"reach a file above /proc/self/root",
			"reach a file above /proc/self/cwd",
			"reach a file by a link",
			"reach a file by a descriptor",
			"see the old root among the mounts",
			"see other processes",
			"signal other processes",
			"connect to the host",
			"get a user namespace",
		]),
	);
	expect(readFileSync(marker, "utf8")).toBe("hostile");
});

test.each([
	[
		"in the sandbox",
		"",
		(script: string, bound: string) => startInSandbox(`cd /run/bound; ${script}`, { "/run/bound": bound }),
	],
	["outside", "secret", (script: string, bound: string) => spawn("sh", ["-c", script], { cwd: bound })],
])("SEC-05: %s, a directory that is moved out of a bound one leads to %j", async (_, expected, start) => {
	const bound = join(folder, "bound");
	mkdirSync(join(bound, "moved"), { recursive: true });
	writeFileSync(join(folder, "marker"), "secret");
	const child = start("cd moved; echo ready; read line; cat ../marker", bound);
	let output = "";
	child.stdout?.on("data", (data) => {
		output += data;
		if (data.includes("ready")) {
			renameSync(join(bound, "moved"), join(folder, "moved"));
			child.stdin?.end("\n");
		}
	});
	await ended(child);
	expect(output).toBe(`ready\n${expected}`);
});

/** Runs the hostile program in a sandbox whose program was changed. Returns the names of the attempts that have succeeded. */
function attackWithout(changes: Record<string, string>): string[] {
	const copy = join(folder, "weak");
	cpSync(dirname(isolateFile), copy, { recursive: true });
	symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
	writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module" }));
	const file = join(copy, "isolate.js");
	let program = readFileSync(file, "utf8");
	for (const [old, replacement] of Object.entries(changes)) {
		expect(program).toContain(old);
		program = program.replace(old, replacement);
	}
	writeFileSync(file, program);
	const { stdout } = spawnSync(process.execPath, [file], { encoding: "utf8" });
	expect(stdout).toMatch(/^50 attempts, /m);
	return succeeded(stdout);
}

describe("without one line of the sandbox the hostile program succeeds", () => {
	needs("the program perl").test("all capabilities are kept by a user 0", () => {
		const toUser0 = isRoot ? { "const user = 1000": "const user = 0" } : { '"identity"': '"root"' };
		const found = attackWithout({ ...toUser0, "dropCapabilities();": "" });
		expect(found).toEqual(
			expect.arrayContaining([
				"remount /usr writable",
				"mount a tmpfs",
				"mount a proc",
				"show / in another place",
				"move a mount",
				"share the mounts",
				"unmount what is mounted",
				"remount what is mounted",
				"copy the tree of /",
				"move a mount by move_mount",
				"open a file system by fsopen",
				"reconfigure one by fspick",
				"make /usr writable by attributes",
				"enter its own mounts again",
				"get a mount namespace",
				"change the root",
				"have a capability",
				"pivot the root",
			]),
		);
	});

	test.each([
		["the limit of user namespaces", { 'limit.write("0");': "" }, ["get a user namespace"]],
		["the read-only root", { 'mountSetattr(root, { set: ["rdonly"] });': "" }, ["write to /", "replace a place"]],
		["the network namespace", { '"net", ': "" }, ["connect to the host"]],
		[
			"the end of the old root",
			{
				"import ": 'import { pivotRoot } from "@nearfar/mount";\nimport ',
				"enterRoot(root);": 'moveMount(root, "/"); chdir(root); pivotRoot(".", "./tmp");',
			},
			["see the old root among the mounts"],
		],
	])("%s", (_, changes, expected) => {
		expect(attackWithout(changes)).toEqual(expect.arrayContaining(expected));
	});
});

describe("a link in a directory that the sandbox shows", () => {
	const ways: [string, (outside: string) => string][] = [
		["an absolute link", (outside) => outside],
		["a relative link", (outside) => join("../../../../../../../../..", outside)],
		["a link through the root of the builder", (outside) => `/proc/self/root${outside}`],
		["a link through the directory of the builder", (outside) => `/proc/self/cwd/../../../../../../..${outside}`],
		["a link through pid 1", (outside) => `/proc/1/root${outside}`],
	];

	/** Makes a directory of the host, and an image whose link `place` leads to the directory. */
	function makeImage(way: (outside: string) => string) {
		const outside = join(folder, "outside");
		const image = join(folder, "image");
		for (const path of [outside, join(outside, "sub"), image]) mkdirSync(path);
		writeFileSync(join(outside, "marker"), "untouched");
		symlinkSync(way(outside), join(image, "place"));
		return { outside, image };
	}

	test.each(ways)("does not lead the builder to the host: %s", async (_, way) => {
		const { outside, image } = makeImage(way);
		const mounts = readFileSync("/proc/self/mountinfo", "utf8");
		for (const path of ["place/new", "place/marker"]) {
			const child = startInSandbox("true", { "/run/image": image, [`/run/image/${path}`]: hostileFile });
			expect((await ended(child))[0], path).not.toBe(0);
		}
		const child = startInSandbox("true", { "/run/image": image, "/run/image/place/sub": image });
		expect((await ended(child))[0]).not.toBe(0);
		expect(readdirSync(outside).sort()).toEqual(["marker", "sub"]);
		expect(readdirSync(join(outside, "sub"))).toEqual([]);
		expect(readFileSync(join(outside, "marker"), "utf8")).toBe("untouched");
		expect(readFileSync("/proc/self/mountinfo", "utf8")).toBe(mounts);
	});

	test.each(["/dev/shm", "/proc", "/tmp"])(
		"does not lead to the host if the link takes the place of %s",
		async (path) => {
			const { outside, image } = makeImage((outside) => outside);
			const name = path.split("/").at(-1) ?? "";
			symlinkSync(outside, join(image, name));
			const script = `touch ${path}/hostile; grep -q " ${path} " /proc/self/mountinfo && echo mounted`;
			const child = startInSandbox(script, { [dirname(path) === "/" ? path : dirname(path)]: image });
			const output = await text(child.stdout as NodeJS.ReadableStream);
			expect(output).toBe(path === "/dev/shm" ? "" : "mounted\n"); // an image on /dev is refused
			expect(readdirSync(outside).sort()).toEqual(["marker", "sub"]);
		},
	);

	test("leads to another directory of the image", async () => {
		const { image } = makeImage(() => "/run/image/real");
		mkdirSync(join(image, "real/sub"), { recursive: true });
		const bound = { "/run/image": image, "/run/image/place/sub": dirname(isolateFile) };
		const child = startInSandbox("test -e /run/image/real/sub/isolate.js", bound);
		expect(await ended(child)).toEqual([0, null]);
	});
});

test("the sandbox is built where nothing can be written, and where no /tmp is there", async () => {
	const ids = [{ inside: 0, outside: 0, count: 65536 }];
	await using host = await Task.clone({
		namespaces: ["user", "mnt"],
		idMap: isRoot ? { uids: ids, gids: ids } : "identity",
	});
	const entries = readdirSync("/", { withFileTypes: true });
	const directories = entries.filter((entry) => entry.isDirectory() && entry.name !== "tmp").map(({ name }) => name);
	const links = entries.filter((entry) => entry.isSymbolicLink()).map(({ name }) => name);
	host.run(() => {
		const copies = [...directories, "nearfar"].map((name) => {
			const set = name === "proc" ? ([] as const) : (["rdonly"] as const); // the maps of ids are written in /proc
			return { name, copy: bind(name === "nearfar" ? root : `/${name}`, null, { set }) };
		});
		using others = tmpfs(null, { mode: 0o755 });
		moveMount(others, "/usr");
		for (const name of links) symlink(readlinkSync(`/${name}`), new Location(others, name));
		for (const { name, copy } of copies) {
			mkdir(new Location(others, name), { mode: 0o755 });
			using place = others.open(name, { flags: ["path"] });
			moveMount(copy, place);
			copy.close();
		}
		mountSetattr(others, { set: ["rdonly"] });
		enterRoot(others);
	});
	const program = "/nearfar/examples/dist/isolate.js";
	const child: ChildProcess = host.exec(process.execPath, [process.execPath, program, "sh", "-c", "echo > /tmp/file"]);
	expect(await child.exited).toMatchObject({ code: 0 });
});
