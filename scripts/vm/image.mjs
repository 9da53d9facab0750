// Makes the disks of a machine: ext4 images of folders, made by mke2fs without a mount.
import * as fs from "node:fs";
import { root } from "../run.mjs";
import { compileTree } from "./compile.mjs";
import { execute } from "./debian.mjs";
import { systemFolder } from "./system.mjs";
import { toolCommand } from "./tools.mjs";

/** Makes the image of a Debian with Node, unless an earlier run has. */
export function makeSystem(arch, release) {
	const folder = systemFolder(arch, release);
	return fs.existsSync(`${folder}.img`) ? `${folder}.img` : makeImage(folder, `${folder}.img`);
}

/** Makes an ext4 image of a folder. The image appears at the path when it is whole. */
export function makeImage(folder, path) {
	const size = Number(execute("du", ["-sk", "--apparent-size", folder]).split("\t")[0]);
	const files = Number(execute("du", ["-s", "--inodes", folder]).split("\t")[0]);
	const partial = `${path}.partial-${process.pid}`;
	// A file takes whole blocks of 4 KiB, and the command may write half as much again.
	const kilobytes = Math.ceil((size + 4 * files) * 1.5) + (64 << 10);
	// The files belong to root in the machine, whoever runs this script.
	const asRoot = process.getuid() === 0 ? [] : [...toolCommand("unshare"), "--map-root-user"];
	const [file, ...args] = [...asRoot, ...toolCommand("mke2fs")];
	const options = ["-q", "-F", "-t", "ext4", "-O", "^has_journal", "-m", "0", "-N", String(files * 2 + 10_000)];
	execute(file, [...args, ...options, "-d", folder, partial, `${kilobytes}k`]);
	fs.renameSync(partial, path);
	return path;
}

/**
 * Makes the image of this tree with its dependencies, without what only builds need.
 *
 * @param {string} path - The path of the image.
 * @param {boolean} [compiled] - Whether programs for Node are made of the sources and tests.
 */
export function makeTree(path, compiled = false) {
	const folder = `${path}.folder`;
	fs.mkdirSync(folder, { recursive: true });
	const left = ["target", ".git", ".turbo"];
	const names = fs.readdirSync(root).filter((name) => !left.includes(name));
	execute("cp", ["-a", "--reflink=auto", ...names, folder], { cwd: root });
	if (compiled) compileTree(folder);
	makeImage(folder, path);
	fs.rmSync(folder, { recursive: true });
	return path;
}
