import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { has, type Need, needs, skipUnless } from "../../../../test/needs.ts";
import { folder, inside } from "../attempts.ts";
import { inProject, outputOf } from "../in-project.ts";

/** Makes a project of one file with three lines. */
function project(): string {
	const at = folder();
	writeFileSync(join(at, "file"), "one\ntwo\nthree\n");
	mkdirSync(join(at, "sub"));
	return at;
}

test.each<[Need, string, string]>([
	["the program rg", "rg -l two", "file"],
	["the program fd", "fd file", "file"],
	["the program fdfind", "fdfind file", "file"],
	["the program jq", `echo '{"a":[1,2]}' > a.json && jq -c .a a.json`, "[1,2]"],
	["the program sed", "sed -i s/two/2/ file && cat file", "one\n2\nthree"],
	["the program perl", "perl -pi -e s/two/2/ file && cat file", "one\n2\nthree"],
	["the program awk", "awk 'END { print NR }' file", "3"],
	["the program tar", "tar czf sub/a.tgz file && tar xzf sub/a.tgz -C sub && cat sub/file", "one\ntwo\nthree"],
	["the program zip", "zip -q a.zip file && unzip -qd sub a.zip && wc -l < sub/file", "3"],
	["the program patch", "sed s/two/2/ file > new; diff -u file new | patch -s file; cat file", "one\n2\nthree"],
	["the program rsync", "rsync -a file sub/ && cat sub/file", "one\ntwo\nthree"],
	["the program xargs", "find . -type f | xargs -P2 -n1 wc -l | cut -d' ' -f1", "3"],
	["the program flock", "flock file echo locked", "locked"],
	["the program strace", "strace -qqe trace=none -o sub/log echo traced", "traced"],
	["the program sqlite3", "sqlite3 a.db 'create table t(a); insert into t values (7); select a from t'", "7"],
])("%s works in a project", async (need, script, output) => {
	skipUnless(has(need), need);
	expect(await outputOf(project(), script)).toBe(output);
});

needs("the program docker").test("docker is refused: its socket is not there", async () => {
	const { code, stdout } = await inProject(folder(), "ls -A /run /var/run; docker ps");
	expect([code === 0, stdout]).toEqual([false, "/run:\n\n/var/run:\n"]);
});

needs("the program ssh").test("SB-13 ssh takes its configuration, with root's files of nobody", async () => {
	const { stdout, stderr } = await inProject(folder(), "ssh -G host; ls /etc/ssh/ssh_config.d");
	expect(stdout).toMatch(/^hostname host$/m);
	expect(stderr).not.toContain("Bad owner");
});

test("SB-26 /dev/shm takes more than 64 MB, as a browser needs, and is as large as that of the host may be", async () => {
	const half = "awk '/MemTotal/ { print int($2 / 2 * 0.9) }' /proc/meminfo";
	const script = `head -c 100m /dev/zero > /dev/shm/x; stat -c %s /dev/shm/x; test "$(df -k --output=size /dev/shm | tail -1)" -ge "$(${half})"`;
	expect(await outputOf(folder(), script)).toBe("104857600");
});

test("a write to a file of the host that is shown says that it is read-only", async () => {
	const { stderr } = await inProject(folder(), "echo x > /etc/new; touch /usr/new; mkdir /new");
	expect(stderr.match(/Read-only file system/g)).toHaveLength(3);
});

const calls = `
import ctypes, errno, os, threading
libc = ctypes.CDLL(None, use_errno=True)
threads = [threading.Thread(target=int) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
child = os.posix_spawn("/bin/sh", ["sh", "-c", "exit 3"], {})
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
def call(number, *args):
    answer = libc.syscall(number, *args)
    return "works" if answer >= 0 else errno.errorcode[ctypes.get_errno()]
FACCESSAT2, CLONE3, AT_FDCWD = 439, 435, -100
print(call(FACCESSAT2, AT_FDCWD, b"/", 4, 0x200), call(CLONE3, 0, 0), call(999), call(100000))
`;

needs("the program python3").test(
	"SB-24 threads, posix_spawn and faccessat2 work, and a number without a name answers ENOSYS",
	async () => {
		const project = folder();
		writeFileSync(join(project, "calls.py"), calls);
		expect(await outputOf(project, "python3 calls.py")).toBe("works ENOSYS ENOSYS ENOSYS");
		const { stdout } = spawnSync("python3", [join(project, "calls.py")], { encoding: "utf8" });
		expect(stdout.trim()).toBe("works EINVAL ENOSYS ENOSYS");
	},
);

test("SB-07 links in a project, absolute and relative, chained and dangling, lead where they lead on the host", async () => {
	const at = project();
	const script = `
		ln -s file relative; ln -s "$PWD/file" absolute; ln -s relative chained; ln -s nowhere dangling
		cat relative absolute chained | wc -l; ! cat dangling 2> /dev/null; echo made > dangling; cat nowhere; readlink /bin || echo folder`;
	expect(await outputOf(at, script)).toBe(`9\nmade\n${await inside("readlink /bin || echo folder")}`);
	expect(readFileSync(join(at, "nowhere"), "utf8")).toBe("made\n");
});
