import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { isRoot, needs } from "../../../../test/needs.ts";
import { plan, run, Sandbox, SandboxError, type SandboxOptions } from "../../src/index.ts";
import { folder } from "../attempts.ts";
import { landlock } from "./landlock.ts";

const unavailable = "ERR_NEARFAR_SANDBOX_UNAVAILABLE";

describe("api-limits, part 3: what Landlock cannot express is an error", () => {
	const at = realpathSync(mkdtempSync(join(tmpdir(), "nearfar-sandbox-")));
	mkdirSync(join(at, "in"));
	writeFileSync(join(at, "in/secret"), "secret");
	afterAll(() => rmSync(at, { recursive: true }));
	const tree = { preset: "closed", write: [at] } as const;

	test.each<[string, SandboxOptions]>([
		["hide", { ...tree, hide: [join(at, "in")] }],
		["hide", { preset: "closed", read: [at], hide: [join(at, "in/secret")] }],
		["hide", { ...tree, hide: ["**/secret"] }],
		["protect", { ...tree, protect: ["in"] }],
		["protect", { ...tree, read: [join(at, "in")] }],
		["files", { ...tree, files: { "/etc/made": "text" } }],
		["scratch", { preset: "closed", scratch: [join(at, "in")] }],
	])("%s, unless without names it: %j", (name, options) => {
		const drawn = () => plan({ ...landlock, ...options });
		expect(drawn).toThrow(
			expect.objectContaining({ code: unavailable, message: expect.stringContaining(`["${name}"]`) }),
		);
		expect(drawn).toThrow(SandboxError);
		const { mounts, allowed, isolation } = plan({ ...landlock, ...options, without: [name as "hide"] });
		expect([mounts, isolation]).toEqual([[], "landlock"]);
		expect(allowed.length).toBeGreaterThan(1);
	});

	test("everything that is missing is named at once", () => {
		const options = {
			...tree,
			hide: [join(at, "in/secret")],
			protect: ["in"],
			scratch: ["/usr"],
			files: { "/etc/a": "" },
		};
		for (const name of ["files", "hide", "protect", "scratch"]) {
			expect(() => plan({ ...landlock, ...options })).toThrow(`"${name}"`);
		}
		expect(() => plan({ ...landlock, ...options, without: ["hide"] })).toThrow(/without/);
		expect(() => plan({ ...landlock, ...options, without: ["protect", "scratch", "files"] })).toThrow('["hide"]');
		expect(() => plan({ ...landlock, ...options, without: ["hide", "protect", "scratch", "files"] })).not.toThrow();
	});

	test("a place that is hidden where nothing is shown, and one that is protected and missing, are no error", () => {
		const { missing } = plan({ ...landlock, write: [at], hide: ["/root?", "/no/such?"], protect: ["later"] });
		expect(missing).toEqual([join(at, "later")]);
	});

	test.each<[string, SandboxOptions]>([
		["options.user", { user: { uid: 1, gid: 1 } }],
		["options.name", { name: "other" }],
		["options.network.publish", { network: { publish: [8000] } }],
		["options.network.localhost", { network: { localhost: [8000] } }],
		["options.syscalls", { syscalls: "all" }],
		["options.tmp.size", { tmp: { size: 4096 } }],
	])("%s is refused, and without does not take it", async (option, options) => {
		const running = run("true", [], { ...landlock, ...options });
		await expect(running).rejects.toMatchObject({ code: unavailable, step: "isolation" });
		await expect(running).rejects.toThrow(option);
		await expect(running).rejects.toThrow("without");
		expect(() => plan({ ...landlock, ...options })).toThrow(option);
	});

	test.each<[SandboxOptions]>([
		[{ isolation: "weak" as "full" }],
		[{ isolation: "landlock", without: ["network" as "hide"] }],
		[{ isolation: "landlock", without: "hide" as unknown as ["hide"] }],
		[{ without: ["hide"] }],
		[{ isolation: "full", without: [] }],
		[{ ...landlock, without: null as never }],
		[{ ...landlock, tmp: null as never }],
		[{ ...landlock, network: null as never }],
		[{ read: "" as never }],
		[{ write: null as never }],
		[{ scratch: false as never }],
		[{ sockets: null as never }],
		[{ hide: null as never }],
		[{ protect: null as never }],
	])("%j is a TypeError", async (options) => {
		await expect(Sandbox.open(options)).rejects.toThrow(
			expect.objectContaining({ name: "TypeError", code: expect.stringMatching(/^ERR_INVALID_ARG_/) }),
		);
	});
});

needs("root").test("root has to ask for rootFallback", async () => {
	const running = run("true", [], { preset: "closed", isolation: "landlock" });
	await expect(running).rejects.toMatchObject({ code: unavailable });
	await expect(running).rejects.toThrow('rootFallback: "uid0"');
});

needs("a kernel without ABI 3 of Landlock").test("an ABI below 3 is an error before anything runs", async () => {
	const at = folder();
	const running = run("touch", [join(at, "ran")], { ...landlock, write: [at] });
	await expect(running).rejects.toMatchObject({ code: unavailable, step: "landlock" });
	await expect(running).rejects.toThrow(/ABI 3, and Linux .* has (no Landlock|Landlock of ABI [12]) here/);
	expect(await run("true", [], landlock).catch(({ hint }) => hint)).toMatch(/Linux 6\.2|lsm=/);
});

test("the plan names the trees that are allowed, and changes nothing", () => {
	const at = folder();
	const drawn = plan({ ...landlock, write: [at], cwd: at });
	expect(drawn.allowed).toContainEqual({ path: at, kind: "write", type: "directory" });
	expect(drawn.allowed).toContainEqual({ path: "/usr", kind: "read", type: "directory" });
	expect(drawn.allowed).toContainEqual({ path: "/proc", kind: "read", type: "directory" });
	expect([drawn.cwd, drawn.links, drawn.files]).toEqual([at, [], []]);
	expect(drawn.home).toMatch(/\/nearfar-[0-9a-f]{12}\/home$/);
	expect(drawn.user.uid).toBe(process.geteuid?.());
	expect(plan({ preset: "closed" })).toMatchObject({ isolation: "full", allowed: [] });
});

test("the home directory, /tmp and /run are not among the trees of the host", () => {
	const { allowed } = plan({
		...landlock,
		preset: "project",
		write: [],
		without: ["hide", "protect", "scratch"],
	});
	const paths = allowed.filter(({ kind }) => kind === "read").map(({ path }) => path);
	expect(paths).toContain("/usr");
	for (const hidden of ["/", homedir(), "/root", "/tmp", "/run", "/var", "/dev"]) expect(paths).not.toContain(hidden);
	expect(paths.some((path) => path.startsWith("/var/"))).toBe(true);
	expect(paths.some((path) => path.startsWith("/var/tmp"))).toBe(false);
	if (isRoot) expect(plan(landlock).user).toEqual({ uid: 0, gid: 0 });
});

needs("ABI 3 of Landlock", "a kernel without ABI 9 of Landlock").test(
	"sockets need ABI 9, and are an error before anything runs",
	async () => {
		const at = folder();
		const running = run("touch", [join(at, "ran")], { ...landlock, write: [at], sockets: [join(at, "socket?")] });
		await expect(running).rejects.toMatchObject({ code: unavailable, step: "landlock" });
		await expect(running).rejects.toThrow(
			/options\.sockets: it needs Landlock of ABI 9, and Linux .* has Landlock of ABI/,
		);
		expect(existsSync(join(at, "ran"))).toBe(false);
	},
);

needs("ABI 3 of Landlock").test.each(["no/such", "file"])("an unusable TMPDIR is a SandboxError: %s", async (name) => {
	const at = folder();
	writeFileSync(join(at, "file"), "");
	const before = process.env.TMPDIR;
	process.env.TMPDIR = join(at, name);
	try {
		const running = run("true", [], landlock);
		await expect(running).rejects.toMatchObject({ code: "ERR_NEARFAR_SANDBOX_PATH", step: "tmp" });
		await expect(running).rejects.toThrow("TMPDIR");
	} finally {
		if (before === undefined) delete process.env.TMPDIR;
		else process.env.TMPDIR = before;
	}
});
