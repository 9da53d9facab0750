import { spawnSync } from "node:child_process";

const script = `
import hashlib, os, stat, sys
all = hashlib.sha256()
def add(path):
    about = os.lstat(path)
    all.update(repr((path, about.st_mode, about.st_uid, about.st_gid, about.st_nlink, about.st_rdev)).encode())
    if stat.S_ISLNK(about.st_mode): all.update(os.readlink(path).encode())
    else: all.update(repr([(name, os.getxattr(path, name)) for name in sorted(os.listxattr(path))]).encode())
    if stat.S_ISREG(about.st_mode): all.update(open(path, "rb").read())
    if stat.S_ISDIR(about.st_mode):
        for name in sorted(os.listdir(path)): add(os.path.join(path, name))
add(sys.argv[1])
print(all.hexdigest())
`;

/** Returns a hash of all names, modes, owners, numbers of links, contents and extended attributes below a folder of the host. */
export function hashOf(path: string): string {
	const { stdout, stderr, status } = spawnSync("/usr/bin/python3", ["-c", script, path], { encoding: "utf8" });
	if (status !== 0) throw new Error(stderr);
	return stdout.trim();
}
