import { existsSync, lstatSync, readFileSync, realpathSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { absolute } from "./given.ts";
import { isBelow, isWithin } from "./links.ts";

/** The lists of a preset. Each path may be missing. */
export interface Preset {
	readonly read: "host" | readonly string[];
	readonly write: readonly string[];
	readonly scratch: readonly string[];
	readonly hide: readonly string[];
	readonly protect: readonly string[];
}

/** The folders of the home directory that hold toolchains, and what each of them needs beside it. */
const toolchains: Readonly<Record<string, readonly string[]>> = {
	".nvm": [],
	".cargo/bin": [".rustup"],
	".volta": [],
	".pyenv": [],
	".bun": [],
	".deno": [],
	".asdf": [],
	".local/bin": [],
	".local/share/mise": [],
	".local/share/fnm": [],
	".local/share/pnpm": [],
};

/** What a program outside executes or reads later, below each writable path. */
const runLater = [
	...[".git/hooks", ".git/config", ".git/config.worktree", ".git/info", ".git/commondir", ".gitmodules"],
	...["hooks", "config", "commondir"].map((name) => `.git/modules/**/${name}`),
	...["config.worktree", "commondir"].map((name) => `.git/worktrees/*/${name}`),
	...[".vscode", ".idea", ".mcp.json", ".envrc"],
];

/** What git executes or follows of a git directory or a common directory. */
const runByGit = [
	...["hooks", "config", "config.worktree", "info", "commondir", "gitdir"],
	...["hooks", "config", "commondir"].map((name) => `modules/**/${name}`),
	...["config.worktree", "commondir"].map((name) => `worktrees/*/${name}`),
];

/** What a program outside executes or reads later, in the home directory. */
const runAtLogin = [
	".bashrc",
	".bash_profile",
	".bash_login",
	".profile",
	".zshrc",
	".zprofile",
	".zshenv",
	".gitconfig",
	".ssh",
	".config/autostart",
	".config/git",
];

/** The lists of `"closed"`: what a program needs to start. */
const closed: Preset = {
	read: ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc/alternatives", "/etc/ld.so.cache"],
	write: [],
	scratch: [],
	hide: [],
	protect: [],
};

/** Returns the lists of a preset for the working directory, the home directory and the `PATH` of this process. */
export function presetOf(name: "project" | "closed"): Preset {
	if (name === "closed") return closed;
	const home = homedir();
	const folder = absolute(".");
	const git = gitFolders(folder);
	return {
		read: "host",
		write: [folder, ...git],
		scratch: [".npm", ".cache", ".cargo/registry"].map((path) => join(home, path)),
		hide: ["/root", "/var/run", "/etc/ssh/ssh_config.d", "**/.env", "**/.env.*"],
		protect: [
			...runLater,
			...runAtLogin.map((path) => join(literal(home), path)),
			...git.flatMap((folder) => runByGit.map((path) => join(literal(folder), path))),
			...(git.length > 0 ? [literal(resolve(".git"))] : []),
		],
	};
}

/** Returns the folders of the home directory that hold the toolchains in `PATH`, and the folders of `PATH` that are links to them. */
export function toolchainFolders(): string[] {
	const home = homedir();
	const folders = new Set<string>();
	for (const entry of (process.env.PATH ?? "").split(delimiter)) {
		const target = realPath(entry);
		const found = [resolve(entry), target].find((folder) => folder !== undefined && isBelow(folder, home));
		if (!entry.startsWith("/") || target === undefined || found === undefined) continue;
		const known = Object.keys(toolchains).find((path) => isWithin(found, join(home, path)));
		for (const path of known ? [known, ...(toolchains[known] ?? [])] : []) folders.add(join(home, path));
		if (!known || found !== resolve(entry)) folders.add(entry);
	}
	return [...folders].filter((folder) => existsSync(folder));
}

/** Returns the canonical path. `undefined`: nothing is there, or this process may not look. */
function realPath(path: string): string | undefined {
	try {
		return realpathSync(path);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === undefined) throw error;
		return undefined;
	}
}

/** Returns a path as a pattern that matches nothing else. */
function literal(path: string): string {
	return path.replace(/[*?[]/g, "[$&]");
}

/**
 * Returns the git directory and the common directory of a worktree or a submodule, whose `.git` is a file that names them.
 *
 * A program of an earlier sandbox may have written that `.git`, and everything below a folder that was writable for it, to get another
 * folder into this sandbox. So the git directory has to lie outside of the folder and to name the folder, and the common directory has
 * to be the repository that the git directory lies in.
 */
function gitFolders(folder: string): string[] {
	try {
		if (!lstatSync(join(folder, ".git")).isFile()) return [];
		const named = /^gitdir: (.+)$/m.exec(readFileSync(join(folder, ".git"), "utf8"))?.[1];
		if (named === undefined) return [];
		const own = realpathSync(resolve(folder, named));
		if (isWithin(own, realpathSync(folder)) || !namesFolder(own, folder)) return [];
		if (!existsSync(join(own, "commondir"))) return isRepository(own) ? [own] : [];
		const common = realpathSync(resolve(own, readFileSync(join(own, "commondir"), "utf8").trim()));
		return dirname(own) === join(common, "worktrees") && isRepository(common) ? [own, common] : [];
	} catch {
		return []; // there is no repository, or none that this process may read
	}
}

/** Returns whether a folder is what git takes for a repository. */
function isRepository(folder: string): boolean {
	const isFolder = (name: string) => lstatSync(join(folder, name)).isDirectory();
	return lstatSync(join(folder, "HEAD")).isFile() && isFolder("objects") && isFolder("refs");
}

/** Returns whether a git directory is that of a folder: a worktree has a file for that, and a submodule a line in its configuration. */
function namesFolder(own: string, folder: string): boolean {
	const file = join(own, "gitdir");
	if (existsSync(file)) return resolve(own, readFileSync(file, "utf8").trim()) === join(folder, ".git");
	const worktree = /^\s*worktree = (.+)$/m.exec(readFileSync(join(own, "config"), "utf8"))?.[1];
	return worktree !== undefined && resolve(own, worktree) === folder;
}
