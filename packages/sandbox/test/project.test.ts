import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { bind, mount } from "@nearfar/mount";
import { spawn as spawnProgram } from "@nearfar/process";
import { expect, test } from "vitest";
import { fixturePath } from "../../../test/fixture.ts";
import { has, needs } from "../../../test/needs.ts";
import { plan } from "../src/index.ts";
import { folder } from "./attempts.ts";
import { inProject } from "./in-project.ts";

/** Runs git on the host. */
function git(cwd: string, ...args: string[]): void {
	const env = { ...process.env, GIT_CONFIG_GLOBAL: "/dev/null" };
	const { status, stderr } = spawnSync("git", [...author, ...args], { cwd, env });
	if (status !== 0) throw new Error(`git ${args.join(" ")}: ${stderr}`);
}

const author = ["-c", "user.name=n", "-c", "user.email=e@e", "-c", "protocol.file.allow=always"];
const commit = `git ${author.join(" ")} commit -qm more`;

/** Makes a repository with one commit. */
function repository(): string {
	const at = join(folder(), "repository");
	mkdirSync(at);
	git(at, "init", "-q");
	writeFileSync(join(at, "file"), "one");
	git(at, "add", ".");
	git(at, "commit", "-qm", "first");
	return at;
}

needs("the program git").test(
	"SB-02 a repository, a bare one, one with a submodule, and no repository are projects",
	async () => {
		const [at, other, none] = [repository(), repository(), folder()];
		git(none, "init", "-q", "--bare", "bare");
		git(other, "submodule", "--quiet", "add", at, "sub");
		for (const cwd of [at, other, join(other, "sub"), join(none, "bare"), none]) {
			const { code, stdout } = await inProject(cwd, "pwd; touch new");
			expect([code, stdout]).toEqual([0, `${cwd}\n`]);
			expect(existsSync(join(cwd, "new"))).toBe(true);
		}
	},
);

needs("the program git").test(
	"SB-14 git commits in a clone and in a linked worktree, whose hooks and configuration stay protected",
	async () => {
		const at = repository();
		const worktree = join(at, "../worktree");
		git(at, "worktree", "add", "-q", worktree);
		for (const cwd of [at, worktree]) {
			const { code, stderr } = await inProject(
				cwd,
				`echo two > file && git add file && ${commit} && git log --oneline | wc -l`,
			);
			expect([cwd, code, stderr]).toEqual([cwd, 0, ""]);
		}
		const attempts = [
			"echo x > ../repository/.git/hooks/post-commit",
			"echo x >> ../repository/.git/config",
			"mv .git g2",
			"echo x > .git",
		];
		for (const attempt of attempts)
			expect([attempt, (await inProject(worktree, attempt)).code]).not.toEqual([attempt, 0]);
		for (const attempt of attempts.slice(0, 2))
			expect(spawnSync("sh", ["-c", attempt], { cwd: worktree }).status).toBe(0);
	},
);

needs("the program git").test("a .git that names another folder does not make that folder writable", async () => {
	const [at, other] = [folder(), repository()];
	writeFileSync(join(at, ".git"), `gitdir: ${other}/.git\n`);
	const { plan: drawn, code } = await inProject(at, `touch ${other}/.git/new`);
	expect(code).not.toBe(0);
	expect(drawn.mounts.filter(({ kind }) => kind === "write").map(({ path }) => path)).toEqual([at]);
});

needs("the program git").test(
	"a .git that a program has forged does not make another folder writable: its git directory lies in the project",
	async () => {
		const [at, victim] = [folder(), folder()];
		const evil = join(at, "evil");
		for (const name of ["objects", "refs"]) mkdirSync(join(evil, name), { recursive: true });
		writeFileSync(join(evil, "HEAD"), "ref: refs/heads/main\n");
		writeFileSync(join(evil, "config"), `[core]\n\tworktree = ${at}\n`);
		writeFileSync(join(evil, "gitdir"), `${at}/.git\n`);
		writeFileSync(join(evil, "commondir"), `${victim}\n`);
		for (const named of ["evil", evil, `${at}/../${basename(at)}/evil`]) {
			writeFileSync(join(at, ".git"), `gitdir: ${named}\n`);
			const { plan: drawn } = await inProject(at, "true");
			expect(drawn.mounts.filter(({ kind }) => kind === "write").map(({ path }) => path)).toEqual([at]);
		}
	},
);

needs("the program git").test(
	"a git directory of a worktree whose commondir names another folder does not make that folder writable",
	async () => {
		const [at, victim] = [repository(), repository()];
		const worktree = join(at, "../worktree");
		git(at, "worktree", "add", "-q", worktree);
		const own = join(at, ".git/worktrees/worktree");
		expect((await inProject(worktree, `echo ${victim}/.git > ${own}/commondir`)).code).not.toBe(0);
		expect((await inProject(worktree, `echo x > ${own}/gitdir`)).code).not.toBe(0);
		writeFileSync(join(own, "commondir"), `${victim}/.git\n`);
		const { plan: drawn } = await inProject(worktree, "true");
		expect(drawn.mounts.filter(({ kind }) => kind === "write").map(({ path }) => path)).toEqual([worktree]);
	},
);

needs("the program git").test("what git executes of a submodule and of a worktree cannot be written", async () => {
	const [at, other] = [repository(), repository()];
	git(at, "submodule", "--quiet", "add", other, "sub");
	git(at, "worktree", "add", "-q", join(at, "../worktree"));
	writeFileSync(join(at, ".git/worktrees/worktree/config.worktree"), "");
	for (const path of [
		".git/modules/sub/hooks/post-checkout",
		".git/modules/sub/config",
		".git/worktrees/worktree/config.worktree",
		".git/worktrees/worktree/commondir",
	]) {
		const attempt = `echo x >> ${path}`;
		expect([path, (await inProject(at, attempt)).code]).not.toEqual([path, 0]);
		expect([path, spawnSync("sh", ["-c", attempt], { cwd: at }).status]).toEqual([path, 0]);
	}
	const { violations } = await inProject(at, "mkdir e && echo ../e > .git/commondir");
	expect(violations.map(({ what }) => what)).toEqual([join(at, ".git/commondir")]);
});

test("SB-13 ssh reads its configuration", async () => {
	if (!has("the program ssh")) return;
	const { code, stderr } = await inProject(folder(), "ssh -G host > /dev/null");
	expect([code, stderr]).toEqual([0, expect.not.stringContaining("Bad owner")]);
});

test("SB-15 with the home directory in `write`, what runs at a login is protected", () => {
	const before = process.env.HOME;
	const home = folder();
	for (const name of [".bashrc", ".gitconfig", ".profile", "other"]) writeFileSync(join(home, name), "");
	for (const name of [".ssh", ".config/autostart"]) mkdirSync(join(home, name), { recursive: true });
	process.env.HOME = home;
	try {
		const { mounts, missing } = plan({ write: ["~"] });
		const kept = mounts.filter(({ kind }) => kind === "protect").map(({ path }) => path.slice(home.length + 1));
		expect(kept).toEqual(expect.arrayContaining([".bashrc", ".config/autostart", ".gitconfig", ".profile", ".ssh"]));
		expect(missing).toContain(join(home, ".zshrc"));
	} finally {
		process.env.HOME = before;
	}
});

test("a secret of the project is hidden, and is there on the host", async () => {
	const at = folder();
	writeFileSync(join(at, ".env"), "secret");
	const { stdout, violations } = await inProject(at, "cat .env; cat ~/.ssh/* /root/* 2>/dev/null; echo x > .env.new");
	expect(stdout).toBe("");
	expect(violations.map(({ what }) => what)).toEqual([join(at, ".env.new")]);
	expect(readFileSync(join(at, ".env"), "utf8")).toBe("secret");
});

needs("an ordinary user").test(
	"a procfs of the host below what is shown is covered, as it leads to the root of the host",
	async () => {
		const at = folder();
		mkdirSync(join(at, "proc"));
		const child = await spawnProgram(process.execPath, [fixturePath("sandbox/project"), "ls -A proc; ls proc/1/root"], {
			cwd: at,
			namespaces: ["user", "mnt"],
			stdio: ["ignore", "inherit", "inherit", "pipe"],
			setup() {
				mount(null, "/", null, { flags: ["rec", "private"] });
				bind("/proc", join(at, "proc"));
			},
		});
		let report = "";
		for await (const chunk of child.stdio[3] as AsyncIterable<Buffer>) report += chunk;
		const { code, stdout } = JSON.parse(report);
		expect([code === 0, stdout]).toEqual([false, ""]);
		await child.exited;
	},
);

test("a project that its owner alone can search is a working directory", async () => {
	const at = join(folder(), "closed");
	mkdirSync(at, { mode: 0o700 });
	expect(await inProject(at, "touch new; pwd")).toMatchObject({ code: 0, stdout: `${at}\n` });
});
