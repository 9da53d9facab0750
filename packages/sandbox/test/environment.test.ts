import { expect, test } from "vitest";
import { run, Sandbox } from "../src/index.ts";
import { folder } from "./attempts.ts";
import { inProject, type ProjectOptions } from "./in-project.ts";

const outside = { LC_TIME: "C", TZ: "UTC", SECRET: "s", OTHER: "o", TMPDIR: "/nowhere", LANG: "C" };

/** Returns the variables of a shell in a project. */
async function variables(options: ProjectOptions): Promise<Record<string, string>> {
	const { stdout } = await inProject(folder(), "env -0", { ...options, outside });
	const all = stdout.split("\0").filter((line) => line !== "");
	return Object.fromEntries(all.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]));
}

const usual = /^(PATH|HOME|TERM|LANG|LC_.*|TZ|TMPDIR|PWD|OLDPWD|SHLVL|_)$/;

test("guarantee 8: the environment is the usual variables and what is named", async () => {
	const found = await variables({ env: { ADDED: "a" } });
	expect(Object.keys(found).filter((name) => !usual.test(name))).toEqual(["ADDED"]);
	expect(found).toMatchObject({ LC_TIME: "C", TZ: "UTC", ADDED: "a", TMPDIR: "/tmp" });
	const { stdout } = (await run("env", [], { preset: "closed", env: { PATH: undefined } })).check();
	expect(stdout).not.toMatch(/^PATH=/m);
});

test("`inherit` takes variables of these names, or all, and `set` comes last", async () => {
	const named = await variables({ env: { inherit: ["OTHER"], set: { SECRET: "mine" } } });
	expect(named).toMatchObject({ OTHER: "o", SECRET: "mine", TMPDIR: "/tmp" });
	const all = await variables({ env: { inherit: true, set: { OTHER: "mine" } } });
	expect(all).toMatchObject({ SECRET: "s", OTHER: "mine", TMPDIR: "/tmp" });
});

test("SB-23 TMPDIR is there, writable, private, and the same for all commands of a sandbox", async () => {
	await using sandbox = await Sandbox.open({ preset: "closed" });
	await using other = await Sandbox.open({ preset: "closed" });
	(await sandbox.run("sh", ["-c", 'cd "$TMPDIR" && echo kept > note && mktemp'])).check();
	expect((await sandbox.run("sh", ["-c", 'cat "$TMPDIR/note"'])).check().stdout).toBe("kept\n");
	expect((await other.run("sh", ["-c", 'test ! -e "$TMPDIR/note"'])).code).toBe(0);
});

test("a command adds variables to those of its sandbox, and takes some away", async () => {
	await using sandbox = await Sandbox.open({ preset: "closed", env: { A: "a", B: "b" } });
	const { stdout } = (
		await sandbox.run("sh", ["-c", 'echo "$A" "$B" "$C"'], { env: { B: undefined, C: "c" } })
	).check();
	expect(stdout).toBe("a  c\n");
});
