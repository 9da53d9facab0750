import { spawnSync } from "node:child_process";
import { chmodSync, linkSync, mkdirSync, rmdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { needs } from "../../../test/needs.ts";
import { refusal } from "../../../test/refusal.ts";
import { type Plan, plan, run, type SandboxOptions } from "../src/index.ts";
import { folder, succeeds } from "./attempts.ts";

/** Returns what lies at a path. */
function kindAt({ mounts }: Plan, path: string) {
	return mounts.find((mount) => mount.path === path)?.kind;
}

test("the longest path wins, whatever the order of the lists", () => {
	const at = folder();
	mkdirSync(join(at, "a/b/c"), { recursive: true });
	const drawn = plan({
		preset: "closed",
		write: [at, join(at, "a/b/c")],
		protect: [join(at, "a/b")],
	});
	expect([at, join(at, "a"), join(at, "a/b"), join(at, "a/b/c")].map((path) => kindAt(drawn, path))).toEqual([
		"write",
		"write", // a mount of its own, so that it cannot be renamed
		"protect",
		"write",
	]);
	const order = drawn.mounts.map(({ path }) => path);
	expect(order).toEqual([...order].sort());
});

test("the same path in two lists is a TypeError, also through a link", () => {
	const at = folder();
	mkdirSync(join(at, "real"));
	symlinkSync("real", join(at, "link"));
	expect(() => plan({ read: [join(at, "real")], write: [join(at, "link")] })).toThrow(TypeError);
	expect(() => plan({ read: [at], write: [join(at, "real")] })).not.toThrow();
});

test("SB-07 a path through links shows the links and their target", () => {
	const at = folder();
	mkdirSync(join(at, "target"));
	symlinkSync(join(at, "target"), join(at, "absolute"));
	symlinkSync("absolute", join(at, "chained"));
	const { links, mounts } = plan({ preset: "closed", read: ["/usr", join(at, "chained")] });
	expect(links).toEqual(
		expect.arrayContaining([
			{ path: join(at, "chained"), target: "absolute" },
			{ path: join(at, "absolute"), target: join(at, "target") },
		]),
	);
	expect(mounts).toContainEqual({
		path: join(at, "target"),
		kind: "read",
		type: "directory",
		source: join(at, "target"),
		made: true,
	});
});

test("a path that is missing is an error that names its option, unless it ends in a question mark", () => {
	const missing = join(folder(), "missing");
	for (const name of ["read", "write", "scratch", "hide", "sockets", "devices"] as const) {
		expect(refusal(() => plan({ preset: "closed", [name]: [missing] }))).toMatchObject({
			code: "ERR_NEARFAR_SANDBOX_PATH",
		});
		expect(() => plan({ preset: "closed", [name]: [`${missing}?`] })).not.toThrow();
	}
	expect(refusal(() => plan({ preset: "closed", cwd: missing }))).toMatchObject({ code: "ERR_NEARFAR_SANDBOX_PATH" });
});

test("SB-04 SB-05 patterns are expanded once, listed, and limited", () => {
	const at = folder();
	mkdirSync(join(at, "deep/node_modules/x"), { recursive: true });
	for (const name of [".env", ".env.local", "deep/.env", "a.pem", "deep/node_modules/x/.env"])
		writeFileSync(join(at, name), "");
	const { matches } = plan({ preset: "closed", write: [at], hide: ["**/.env", "*.pem", "**/node_modules", "*.none"] });
	const found = Object.fromEntries(
		matches.map(({ pattern, paths }) => [pattern, paths.toSorted().map((path) => path.slice(at.length + 1))]),
	);
	expect(found).toEqual({
		"**/.env": [".env", "deep/.env"], // the whole of node_modules is covered
		"*.pem": ["a.pem"],
		"**/node_modules": ["deep/node_modules"],
		"*.none": [],
	});
	mkdirSync(join(at, "many"));
	for (let index = 0; index <= 10_000; index++) writeFileSync(join(at, `many/${index}.key`), "");
	expect(refusal(() => plan({ preset: "closed", write: [at], hide: ["**/*.key"] }))).toMatchObject({
		code: "ERR_NEARFAR_SANDBOX_LIMIT",
		message: expect.stringContaining("**/*.key"),
	});
});

test("a plan is JSON without a secret", () => {
	const at = folder();
	const drawn = plan({
		preset: "closed",
		write: [at],
		files: { [join(at, "../made")]: "secret" },
		env: { TOKEN: "secret" },
	});
	const text = JSON.stringify(drawn);
	expect(text).not.toContain("secret");
	expect(JSON.parse(text)).toEqual(drawn);
	expect(drawn.env).toContain("TOKEN");
	expect(drawn.files).toContain(join(at, "../made"));
});

test("a hidden file with another name is a notice", () => {
	const at = folder();
	writeFileSync(join(at, "one"), "");
	linkSync(join(at, "one"), join(at, "two"));
	expect(plan({ preset: "closed", write: [at], hide: [join(at, "one")] }).notices).toHaveLength(1);
});

test("a protected path that is missing is watched, where it could be written", () => {
	const at = folder();
	const { missing } = plan({ preset: "closed", write: [at], protect: [".git/hooks", "/usr/no/such"] });
	expect(missing).toEqual([join(at, ".git/hooks")]);
});

test("a file is made where the host has one, or in memory", () => {
	const at = folder();
	writeFileSync(join(at, "there"), "");
	expect(() => plan({ preset: "closed", write: [at], files: { [join(at, "there")]: "" } })).not.toThrow();
	expect(refusal(() => plan({ preset: "closed", write: [at], files: { [join(at, "not")]: "" } }))).toMatchObject({
		code: "ERR_NEARFAR_SANDBOX_PATH",
	});
});

test("the project preset hides the home directory, secrets and the folders of others", () => {
	const drawn = plan({ write: [folder()] });
	expect(kindAt(drawn, drawn.home)).toBe("folder");
	expect(kindAt(drawn, "/tmp")).toBe("folder");
	expect(kindAt(drawn, "/run")).toBe("folder");
	expect(kindAt(drawn, "/usr")).toBe("read");
	expect(drawn.matches.map(({ pattern }) => pattern).toSorted()).toEqual([
		"**/.env",
		"**/.env.*",
		".git/modules/**/commondir",
		".git/modules/**/config",
		".git/modules/**/hooks",
		".git/worktrees/*/commondir",
		".git/worktrees/*/config.worktree",
	]);
});

test.each<[string, unknown]>([
	["an unknown option", { reads: [] }],
	["a preset", { preset: "open" }],
	["a path", { read: [7] }],
	["an empty path", { read: [""] }],
	["a size", { tmp: { size: 0 } }],
	["a limit", { limits: { time: 0 } }],
	["a variable", { env: { "A=B": "c" } }],
	["the network", { network: "nat" }],
	["the user", { user: "root" }],
	["a filter", { syscalls: "none" }],
	["a mode", { files: { "/x": { content: "", mode: 0o1000 } } }],
	["a name", { name: "" }],
	["the root", { write: ["/"] }],
])("a mistake in %s is refused before anything happens", (_, options) => {
	expect(refusal(() => plan(options as object))).toMatchObject({
		code: expect.stringMatching(/^ERR_(INVALID|OUT_OF|NEARFAR_SANDBOX_PATH)/),
	});
});

test("a folder that cannot be read is no reason to fail", () => {
	const at = folder();
	mkdirSync(join(at, "closed"));
	chmodSync(join(at, "closed"), 0);
	expect(() => plan({ preset: "closed", write: [at], hide: ["**/.env"] })).not.toThrow();
	chmodSync(join(at, "closed"), 0o755);
});

needs("an ordinary user").test(
	"SB-04 a folder that can be passed and not read is hidden as a whole by a pattern",
	async () => {
		const at = folder();
		mkdirSync(join(at, "sealed"));
		writeFileSync(join(at, "sealed/.env"), "secret");
		chmodSync(join(at, "sealed"), 0o111);
		try {
			expect(kindAt(plan({ preset: "closed", write: [at], hide: ["**/.env"] }), join(at, "sealed"))).toBe("hide");
			expect(await succeeds(`cat ${at}/sealed/.env`, { write: [at] })).toBe(true);
			expect(await succeeds(`chmod 755 ${at}/sealed; cat ${at}/sealed/.env`, { write: [at], hide: ["**/.env"] })).toBe(
				false,
			);
		} finally {
			chmodSync(join(at, "sealed"), 0o755);
		}
	},
);

test("SB-04 a name that is not UTF-8, below which a pattern cannot hide anything, is an error that names the folder", () => {
	const at = folder();
	mkdirSync(Buffer.concat([Buffer.from(`${at}/`), Buffer.from([0xff])]));
	mkdirSync(join(at, "\ufffd"));
	const refused = refusal(() => plan({ preset: "closed", write: [at], hide: ["**/.env"] }));
	expect(refused).toMatchObject({
		code: "ERR_NEARFAR_SANDBOX_PATH",
		message: expect.stringContaining(`${at} has the name`),
	});
	expect(() => plan({ preset: "closed", write: [at], hide: [join(at, "\ufffd/.env?")] })).not.toThrow();
});

test("SB-05 a program that makes more files, deeper folders and other names than are looked at does not hide its result", async () => {
	const at = folder();
	const deep = Array(30).fill("0".repeat(100)).join("/");
	const options: SandboxOptions = { preset: "closed", write: [at], hide: ["**/.env"], cwd: at };
	const script = `mkdir -p a/${deep} b/${deep} && mv b a/${deep} && mkdir $(printf '\\377')`;
	const first = await run("sh", ["-c", script], options);
	expect(first.code).toBe(0);
	expect(first.violations).toEqual([
		expect.objectContaining({ kind: "limit", what: expect.stringContaining("UTF-8") }),
	]);
	rmdirSync(Buffer.concat([Buffer.from(`${at}/`), Buffer.from([0xff])]));
	expect((await run("true", [], options)).code).toBe(0);
	expect(spawnSync("rm", ["-rf", at]).status).toBe(0); // Node's own removal cannot go as deep
});
