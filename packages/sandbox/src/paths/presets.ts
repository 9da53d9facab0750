import { existsSync, lstatSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { isWithin } from "./links.ts";

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
const runLater = [".git/hooks", ".git/config", ".git/info", ".gitmodules", ".vscode", ".idea", ".mcp.json", ".envrc"];

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
	const git = gitFolders(process.cwd());
	return {
		read: "host",
		write: [process.cwd(), ...git],
		scratch: [".npm", ".cache", ".cargo/registry"].map((path) => join(home, path)),
		hide: ["/root", "/var/run", "/etc/ssh/ssh_config.d", "**/.env", "**/.env.*"],
		protect: [
			...runLater,
			...runAtLogin.map((path) => join(home, path)),
			...git.flatMap((folder) => ["hooks", "config", "info"].map((path) => join(folder, path))),
			...(git.length > 0 ? [resolve(".git")] : []),
		],
	};
}

/** Returns the folders of the home directory that hold the toolchains in `PATH`. */
export function toolchainFolders(): string[] {
	const home = homedir();
	const folders = new Set<string>();
	for (const folder of (process.env.PATH ?? "").split(delimiter)) {
		if (!folder.startsWith("/") || !isWithin(folder, home) || folder === home) continue;
		const known = Object.keys(toolchains).find((path) => isWithin(folder, join(home, path)));
		for (const path of known ? [known, ...(toolchains[known] ?? [])] : []) folders.add(join(home, path));
		if (!known) folders.add(folder);
	}
	return [...folders].filter((folder) => existsSync(folder));
}

/**
 * Returns the git directory and the common directory of a worktree or a submodule, whose `.git` is a file that names them. The git
 * directory has to name the folder too: a program of a sandbox could have written the `.git` to get another folder into the next one.
 */
function gitFolders(folder: string): string[] {
	try {
		if (!lstatSync(join(folder, ".git")).isFile()) return [];
		const named = /^gitdir: (.+)$/m.exec(readFileSync(join(folder, ".git"), "utf8"))?.[1];
		if (named === undefined) return [];
		const own = resolve(folder, named);
		if (!namesFolder(own, folder)) return [];
		const common = join(own, "commondir");
		return existsSync(common) ? [own, resolve(own, readFileSync(common, "utf8").trim())] : [own];
	} catch {
		return []; // there is no repository, or none that this process may read
	}
}

/** Returns whether a git directory is that of a folder: a worktree has a file for that, and a submodule a line in its configuration. */
function namesFolder(own: string, folder: string): boolean {
	const file = join(own, "gitdir");
	if (existsSync(file)) return resolve(own, readFileSync(file, "utf8").trim()) === join(folder, ".git");
	const worktree = /^\s*worktree = (.+)$/m.exec(readFileSync(join(own, "config"), "utf8"))?.[1];
	return worktree !== undefined && resolve(own, worktree) === folder;
}
