// Imported by Node itself where the suites run without a /proc, or with the /proc of an outer pid namespace. nearfar has to
// get along with that /proc. The tests look at processes from outside through node:fs, and for them node:fs goes to a procfs
// of this pid namespace, which is mounted at NEARFAR_TEST_PROC.
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";

const own = process.env.NEARFAR_TEST_PROC;
const names = [
	"accessSync",
	"existsSync",
	"openSync",
	"readFileSync",
	"readdirSync",
	"readlinkSync",
	"statSync",
	"writeFileSync",
];

// A test may have mounted a /proc for the pid namespace of its fixture.
if (own && !showsThisPidNamespace()) {
	for (const name of names) {
		const original = fs[name];
		fs[name] = (path, ...rest) =>
			original(typeof path === "string" ? path.replace(/^\/proc(?=\/|$)/, own) : path, ...rest);
	}
	syncBuiltinESMExports();
}

function showsThisPidNamespace() {
	try {
		return /^NSpid:\t\d+$/m.test(fs.readFileSync("/proc/self/status", "utf8"));
	} catch {
		return false; // there is no /proc
	}
}
