import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, vi } from "vitest";
import { needs } from "../../../../test/needs.ts";
import { folder } from "../attempts.ts";
import { inProject, outputOf } from "../in-project.ts";

vi.setConfig({ testTimeout: 120_000 });

const { test } = needs("the program git");
const author = "-c user.name=n -c user.email=e@e";
const git = `git ${author}`;

/** Runs a shell on the host. */
function outside(cwd: string, script: string): string {
	const env = { ...process.env, GIT_CONFIG_GLOBAL: "/dev/null" };
	const { status, stdout, stderr } = spawnSync("sh", ["-ec", script], { cwd, env, encoding: "utf8" });
	if (status !== 0) throw new Error(`${script}: ${stderr}`);
	return stdout.trim();
}

/** Makes a repository with one commit, and a linked worktree beside it. */
function repositoryAndWorktree(): { repository: string; worktree: string } {
	const at = folder();
	const [repository, worktree] = [join(at, "repository"), join(at, "worktree")];
	mkdirSync(repository);
	outside(repository, `${git} init -q -b main; echo one > file; git add .; ${git} commit -qm first`);
	outside(repository, `${git} worktree add -q -b work ../worktree`);
	return { repository, worktree };
}

test("SB-14 commit, rebase, stash and worktree add work in a clone and in a linked worktree", async () => {
	const { repository, worktree } = repositoryAndWorktree();
	for (const [cwd, branch] of [
		[repository, "main"],
		[worktree, "work"],
	] as const) {
		await outputOf(
			cwd,
			`${git} checkout -qb side-${branch}; echo s > side-${branch}; git add .; ${git} commit -qm side;
			 ${git} checkout -q ${branch}; echo b >> file; ${git} commit -qam more; ${git} checkout -q side-${branch};
			 ${git} rebase -q ${branch}; echo dirty >> file; ${git} stash -q; ${git} stash pop -q; git checkout -q .;
			 ${git} worktree add -q -b linked-${branch} linked; cd linked; echo l > linked-file; git add .; ${git} commit -qm linked`,
		);
		expect(outside(cwd, "git log --format=%s HEAD")).toBe("side\nmore\nfirst");
		expect(outside(join(cwd, "linked"), "git log -1 --format=%s; git status --short")).toBe("linked");
		outside(cwd, "git fsck --no-progress; git worktree prune; git gc -q");
	}
});

test("SB-14 what git would execute outside stays as it was: hooks and configuration, of the common directory too", async () => {
	const { repository, worktree } = repositoryAndWorktree();
	const common = join(repository, ".git");
	const own = join(common, "worktrees/worktree");
	const files = ["config", "info/exclude", "hooks/pre-commit", "worktrees/worktree/commondir"].map((name) =>
		join(common, name),
	);
	writeFileSync(join(common, "hooks/pre-commit"), "#!/bin/sh\n", { mode: 0o755 });
	const before = files.map((file) => readFileSync(file, "utf8"));
	const attempts = [
		"git config core.fsmonitor /tmp/evil",
		"git config --worktree core.pager /tmp/evil",
		`echo evil >> ${common}/config`,
		`echo evil > ${common}/hooks/pre-commit`,
		`echo evil > ${common}/hooks/post-checkout`,
		`mv ${common}/hooks ${common}/h; mkdir ${common}/hooks`,
		`rm -rf ${common}/hooks`,
		`mv ${common} ${common}2`,
		`ln -sf /tmp/evil ${common}/config`,
		`echo /tmp/evil > ${own}/commondir`,
		`rm ${own}/commondir`,
		`mv ${own} ${own}2`,
	];
	for (const cwd of [repository, worktree]) {
		for (const attempt of attempts)
			expect([cwd, attempt, (await inProject(cwd, attempt)).code]).not.toEqual([cwd, attempt, 0]);
	}
	expect(files.map((file) => readFileSync(file, "utf8"))).toEqual(before);
	expect(existsSync(join(common, "hooks/post-checkout"))).toBe(false);
	outside(worktree, "git config core.fsmonitor false"); // the host can
});

test("SB-02 a submodule is a project in which git commits", async () => {
	const at = folder();
	outside(
		at,
		`mkdir one two; cd one; ${git} init -q; echo 1 > f; git add .; ${git} commit -qm 1; cd ../two; ${git} init -q;
		 ${git} -c protocol.file.allow=always submodule --quiet add ../one sub; ${git} commit -qm 2`,
	);
	await outputOf(join(at, "two/sub"), `echo more > f; ${git} commit -qam more`);
	expect(outside(join(at, "two/sub"), "git log -1 --format=%s")).toBe("more");
	expect(await outputOf(join(at, "two"), "git status --short; git submodule status | wc -l")).toBe("M sub\n1");
});

test("a commondir leads git to the configuration of another folder: one that appears is reported or removed", async () => {
	const { repository } = repositoryAndWorktree();
	const evil = `cp -r .git evil; echo '#!/bin/sh\ntouch ran' > evil/run; chmod +x evil/run;
		git config -f evil/config core.fsmonitor $PWD/evil/run; echo ../evil > .git/commondir`;
	const { violations } = await inProject(repository, evil);
	expect(violations).toMatchObject([{ kind: "appeared", what: join(repository, ".git/commondir") }]);
	outside(repository, "git status");
	expect(existsSync(join(repository, "ran"))).toBe(true); // this is what the file does
	outside(repository, "rm -rf ran evil .git/commondir");
	await inProject(repository, evil, { protectMissing: "remove" });
	outside(repository, "git status");
	expect(existsSync(join(repository, "ran"))).toBe(false);
});
