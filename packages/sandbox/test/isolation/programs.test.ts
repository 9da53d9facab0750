import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, vi } from "vitest";
import { needs } from "../../../../test/needs.ts";
import type { SandboxOptions } from "../../src/index.ts";
import { folder } from "../attempts.ts";
import { inProject } from "../in-project.ts";
import { startRegistry } from "../programs/registry.ts";
import { landlock } from "./landlock.ts";

vi.setConfig({ testTimeout: 120_000 });

const { preset: _, ...isolation } = landlock;
const options: SandboxOptions = { ...isolation, without: ["hide", "protect", "scratch"] };

/** Returns the output of a shell in the preset "project", without namespaces. Throws unless the shell ends with 0. */
async function outputOf(cwd: string, script: string, more: SandboxOptions = {}): Promise<string> {
	const { code, stdout, stderr } = await inProject(cwd, `set -e; ${script}`, { ...options, ...more });
	if (code !== 0) throw new Error(`exited with ${code}: ${script}\n${stdout}\n${stderr}`);
	return stdout.trim();
}

needs("ABI 3 of Landlock", "the program git").test(
	"LL-01 git commits, rebases, stashes and adds worktrees",
	async () => {
		const at = folder();
		const git = "git -c user.name=n -c user.email=e@e";
		await outputOf(
			at,
			`git init -q -b main; echo one > file; git add .; ${git} commit -qm first
		 ${git} checkout -qb side; echo s > side; git add .; ${git} commit -qm side; ${git} checkout -q main; echo b >> file
		 ${git} commit -qam more; ${git} checkout -q side; ${git} rebase -q main; echo dirty >> file; ${git} stash -q; ${git} stash pop -q
		 ${git} worktree add -q -b linked linked; git gc -q; git clone -q . copied; mv copied moved`,
		);
		const { stdout } = spawnSync("git", ["log", "--format=%s"], { cwd: at, encoding: "utf8" });
		expect(stdout).toBe("side\nmore\nfirst\n");
	},
);

needs("ABI 4 of Landlock", "the program npm").test(
	"LL-01 npm ci and npm test, from a registry on the loopback of the host through the proxy",
	async () => {
		const project = folder();
		const registry = await startRegistry(project);
		const network = { allow: [`127.0.0.1:${registry.port}`] };
		try {
			const output = await outputOf(project, "npm ci --no-audit --no-fund --foreground-scripts && npm test && npm ls", {
				network,
			});
			expect(output).toContain("left ran");
			expect(existsSync(join(project, "node_modules/left/installed"))).toBe(true);
			const refused = await inProject(project, "npm view right --fetch-retries=0", options);
			expect(refused.code).not.toBe(0); // without the port there is no way to the registry
		} finally {
			registry.close();
		}
	},
);

needs("ABI 3 of Landlock", "the program make", "the program gcc").test("make builds and runs a program", async () => {
	const at = folder();
	writeFileSync(join(at, "main.c"), '#include <stdio.h>\nint main(void) { puts("built"); }\n');
	writeFileSync(join(at, "Makefile"), "all: main\n\t./main\nmain: main.c\n\t$(CC) -o $@ $<\n");
	expect(await outputOf(at, "make -s -j2 && mkdir sub && mv main sub/ && ln sub/main linked && ./linked")).toBe(
		"built\nbuilt",
	);
});

needs("ABI 3 of Landlock", "the program python3").test(
	"python makes a virtual environment, processes, and temporary files",
	async () => {
		const at = folder();
		const program = `
import os, subprocess, sys, tempfile
with tempfile.TemporaryDirectory() as folder:
    assert folder.startswith(os.environ["TMPDIR"]), folder
    open(folder + "/file", "w").write("text")
assert subprocess.run(["true"]).returncode == 0
if os.fork() == 0: os._exit(0)
print(os.wait()[1])
`;
		writeFileSync(join(at, "program.py"), program);
		expect(await outputOf(at, "python3 -m venv --without-pip env; env/bin/python program.py")).toBe("0");
	},
);

needs("ABI 3 of Landlock").test("node --test runs children and threads", async () => {
	const at = folder();
	mkdirSync(join(at, "test"));
	writeFileSync(
		join(at, "a.test.mjs"),
		`import test from "node:test"; import { execFileSync, fork } from "node:child_process"; import { Worker } from "node:worker_threads";
		import { mkdtempSync } from "node:fs"; import { tmpdir, homedir } from "node:os"; import { writeFileSync } from "node:fs";
		test("a child", () => { execFileSync("true"); mkdtempSync(tmpdir() + "/a-"); writeFileSync(homedir() + "/.rc", ""); });
		test("a thread", (_, done) => { new Worker("0", { eval: true }).on("exit", () => done()); });`,
	);
	expect(await outputOf(at, "node --test")).toContain("# pass 2");
});
