// Makes the disks of a machine: ext4 images of folders, made by mke2fs without a mount.
import * as fs from "node:fs";
import { join } from "node:path";
import { root } from "../run.mjs";
import { execute, place, unpack } from "./debian.mjs";
import { fetchNode } from "./node.mjs";
import { toolCommand } from "./tools.mjs";

/** What the tests and the smoke run, and what every Debian has. */
const packages = [
	...[
		"bash",
		"coreutils",
		"dash",
		"findutils",
		"grep",
		"hostname",
		"libc-bin",
		"login",
		"mount",
		"passwd",
		"procps",
		"sed",
	],
	...[
		"bubblewrap",
		"iproute2",
		"libcap-dev",
		"libcap2-bin",
		"libstdc++6",
		"linux-libc-dev",
		"tar",
		"uidmap",
		"util-linux",
	],
];

const accounts = {
	passwd:
		"root:x:0:0:root:/root:/bin/bash\nuser:x:1000:1000:user:/home/user:/bin/bash\nnobody:x:65534:65534:nobody:/:/bin/false\n",
	group: "root:x:0:\ntty:x:5:\nuser:x:1000:\nnogroup:x:65534:\n",
	subuid: "user:100000:65536\n",
	subgid: "user:100000:65536\n",
	hosts: "127.0.0.1 localhost machine\n::1 localhost\n",
};

/** The lines of Node that are in the image. The first one is in the search path. */
export const nodeLines = [20, 26];

/** Makes the image of a Debian with Node, unless an earlier run has. */
export function makeSystem(arch, release = "bookworm") {
	const path = join(place, `system-${release}-${arch}.img`);
	if (fs.existsSync(path)) return path;
	const folder = unpack(join(place, `system-${release}-${arch}`), { release, arch, packages });
	for (const name of ["dev", "proc", "sys", "run", "tmp", "tree", "root", "home/user", "etc", "usr/local/bin"])
		fs.mkdirSync(join(folder, name), { recursive: true });
	for (const [name, text] of Object.entries(accounts)) fs.writeFileSync(join(folder, "etc", name), text);
	if (!fs.existsSync(join(folder, "bin/sh"))) fs.symlinkSync("dash", join(folder, "bin/sh"));
	for (const line of nodeLines) fs.cpSync(fetchNode(line, arch), join(folder, `opt/node-${line}`), { recursive: true });
	for (const name of fs.readdirSync(join(folder, "opt/node-20/bin"))) {
		fs.rmSync(join(folder, "usr/local/bin", name), { force: true });
		fs.symlinkSync(`/opt/node-20/bin/${name}`, join(folder, "usr/local/bin", name));
	}
	fs.chmodSync(join(folder, "tmp"), 0o1777);
	return makeImage(folder, path);
}

/** Makes an ext4 image of a folder. The image appears at the path when it is whole. */
export function makeImage(folder, path) {
	const size = Number(execute("du", ["-sk", "--apparent-size", folder]).split("\t")[0]);
	const files = Number(execute("du", ["-s", "--inodes", folder]).split("\t")[0]);
	const partial = `${path}.partial-${process.pid}`;
	// A file takes whole blocks of 4 KiB, and the command may write half as much again.
	const kilobytes = Math.ceil((size + 4 * files) * 1.5) + (64 << 10);
	const [file, ...args] = toolCommand("mke2fs");
	const options = ["-q", "-F", "-t", "ext4", "-O", "^has_journal", "-m", "0", "-N", String(files * 2 + 10_000)];
	execute(file, [...args, ...options, "-E", "root_owner=0:0", "-d", folder, partial, `${kilobytes}k`]);
	fs.renameSync(partial, path);
	return path;
}

/** Makes the image of this tree with its dependencies, without what only builds need. */
export function makeTree(path) {
	const folder = `${path}.folder`;
	fs.rmSync(folder, { recursive: true, force: true });
	const left = new Set(["target", ".git", ".turbo"]);
	fs.mkdirSync(folder, { recursive: true });
	for (const name of fs.readdirSync(root)) {
		if (left.has(name)) continue;
		execute("cp", ["-a", "--reflink=auto", join(root, name), folder]);
	}
	makeImage(folder, path);
	fs.rmSync(folder, { recursive: true });
	return path;
}
