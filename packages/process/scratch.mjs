import { spawn } from "@nearfar/process";
import { text } from "node:stream/consumers";
const run = async (f,a,o)=>{ const c=await spawn(f,a,o); const [out,err,st]=await Promise.all([c.stdout?text(c.stdout):"",c.stderr?text(c.stderr):"",c.exited]); return {out,err,...st}; };
console.log(await run("sh",["-c","(setsid sleep 1000 >/dev/null 2>&1 </dev/null &); exit 3"],{killTree:true,stdio:["ignore","pipe","pipe"]}));
console.log(await run("sh",["-c","echo $$; exit 3"],{init:true,namespaces:["user","pid"],stdio:["ignore","pipe","pipe"]}));
console.log(await run("sh",["-c","echo $$; exit 3"],{namespaces:["user","pid"],stdio:["ignore","pipe","pipe"]}));
console.log(await spawn("nope",[],{killTree:true}).catch(e=>e.message));
