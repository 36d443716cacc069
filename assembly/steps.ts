// The µop interpreter's loop: one switch.

import { enter, knownBlock } from './arrive';
import { placeAt, placeOf } from './interpret-paged';
import { putDifference, putLogic, putSum } from './interpret-status';
import { fault, leave, refund, stackFault } from './leave';
import { isFilled } from './paged';
import { ExitKind, FaultAccess } from './shared/exit';
import { JumpSite, Layout, PagePermission } from './shared/layout';
import { BlockFlag, BlockHeader, Link, LinkFlag, Uop } from './shared/uop';

function slotA(ip: usize): i32 {
  return load<i32>(load<u16>(ip, 4));
}
function slotB(ip: usize): i32 {
  return load<i32>(load<u16>(ip, 6));
}
function imm(ip: usize): i32 {
  return load<i32>(ip, 8);
}
function result(ip: usize, value: i32): void {
  store<i32>(load<u16>(ip, 2), value);
}
function indexOf(ip: usize): u32 {
  return load<u32>(load<u16>(ip, 4)) + load<u32>(ip, 8) - Layout.FLOOR;
}
/** The Link that a branch follows. */
function pick(ip: usize, condition: bool): usize {
  return select<usize>(ip + 8, ip + 8 + Link.SIZE, condition);
}

/** What `steps` gives in place of the address of a µop, as `interpret` does. */
export const enum Step {
  LEFT = 0,
  ELSEWHERE = 1,
}

/**
 * Runs µops from `ip` on up to one that needs a call, which is returned, or a Step. Nothing in here is called that comes back: the
 * engine would keep `ip` in memory throughout, and each µop would wait for that.
 */
export function steps(ip: usize, limit: u32, threshold: i32, read: u32, write: u32, once: bool): usize {
  let link: usize = 0;
  let pc: u32 = 0;
  while (true) {
    const number = <i32>load<u16>(ip);
    switch (number) {
      case Uop.I32_ADD:
        result(ip, slotA(ip) + slotB(ip));
        ip += 8;
        continue;
      case Uop.I32_SUB:
        result(ip, slotA(ip) - slotB(ip));
        ip += 8;
        continue;
      case Uop.I32_MUL:
        result(ip, slotA(ip) * slotB(ip));
        ip += 8;
        continue;
      case Uop.I32_DIV_S:
        result(ip, slotA(ip) / slotB(ip));
        ip += 8;
        continue;
      case Uop.I32_DIV_U:
        result(ip, u32(slotA(ip)) / u32(slotB(ip)));
        ip += 8;
        continue;
      case Uop.I32_REM_S:
        result(ip, slotA(ip) % slotB(ip));
        ip += 8;
        continue;
      case Uop.I32_REM_U:
        result(ip, u32(slotA(ip)) % u32(slotB(ip)));
        ip += 8;
        continue;
      case Uop.I32_AND:
        result(ip, slotA(ip) & slotB(ip));
        ip += 8;
        continue;
      case Uop.I32_OR:
        result(ip, slotA(ip) | slotB(ip));
        ip += 8;
        continue;
      case Uop.I32_XOR:
        result(ip, slotA(ip) ^ slotB(ip));
        ip += 8;
        continue;
      case Uop.I32_SHL:
        result(ip, slotA(ip) << slotB(ip));
        ip += 8;
        continue;
      case Uop.I32_SHR_S:
        result(ip, slotA(ip) >> slotB(ip));
        ip += 8;
        continue;
      case Uop.I32_SHR_U:
        result(ip, slotA(ip) >>> slotB(ip));
        ip += 8;
        continue;
      case Uop.I32_ROTL:
        result(ip, rotl(slotA(ip), slotB(ip)));
        ip += 8;
        continue;
      case Uop.I32_ROTR:
        result(ip, rotr(slotA(ip), slotB(ip)));
        ip += 8;
        continue;
      case Uop.I32_EQ:
        result(ip, i32(slotA(ip) === slotB(ip)));
        ip += 8;
        continue;
      case Uop.I32_NE:
        result(ip, i32(slotA(ip) !== slotB(ip)));
        ip += 8;
        continue;
      case Uop.I32_LT_S:
        result(ip, i32(slotA(ip) < slotB(ip)));
        ip += 8;
        continue;
      case Uop.I32_LT_U:
        result(ip, i32(u32(slotA(ip)) < u32(slotB(ip))));
        ip += 8;
        continue;
      case Uop.I32_LE_S:
        result(ip, i32(slotA(ip) <= slotB(ip)));
        ip += 8;
        continue;
      case Uop.I32_LE_U:
        result(ip, i32(u32(slotA(ip)) <= u32(slotB(ip))));
        ip += 8;
        continue;
      case Uop.I32_CLZ:
        result(ip, clz(slotA(ip)));
        ip += 8;
        continue;
      case Uop.I32_CTZ:
        result(ip, ctz(slotA(ip)));
        ip += 8;
        continue;
      case Uop.I32_POPCNT:
        result(ip, popcnt(slotA(ip)));
        ip += 8;
        continue;
      case Uop.I32_EXTEND8_S:
        result(ip, <i32>load<i8>(load<u16>(ip, 4)));
        ip += 8;
        continue;
      case Uop.I32_EXTEND16_S:
        result(ip, <i32>load<i16>(load<u16>(ip, 4)));
        ip += 8;
        continue;
      case Uop.I32_EQZ:
        result(ip, i32(slotA(ip) === 0));
        ip += 8;
        continue;
      case Uop.I32_ADD_IMM:
        result(ip, slotA(ip) + imm(ip));
        ip += 12;
        continue;
      case Uop.I32_AND_IMM:
        result(ip, slotA(ip) & imm(ip));
        ip += 12;
        continue;
      case Uop.I32_OR_IMM:
        result(ip, slotA(ip) | imm(ip));
        ip += 12;
        continue;
      case Uop.I32_XOR_IMM:
        result(ip, slotA(ip) ^ imm(ip));
        ip += 12;
        continue;
      case Uop.I32_SHL_IMM:
        result(ip, slotA(ip) << imm(ip));
        ip += 12;
        continue;
      case Uop.I32_SHR_S_IMM:
        result(ip, slotA(ip) >> imm(ip));
        ip += 12;
        continue;
      case Uop.I32_SHR_U_IMM:
        result(ip, slotA(ip) >>> imm(ip));
        ip += 12;
        continue;
      case Uop.I32_EQ_IMM:
        result(ip, i32(slotA(ip) === imm(ip)));
        ip += 12;
        continue;
      case Uop.I32_NE_IMM:
        result(ip, i32(slotA(ip) !== imm(ip)));
        ip += 12;
        continue;
      case Uop.I32_LT_S_IMM:
        result(ip, i32(slotA(ip) < imm(ip)));
        ip += 12;
        continue;
      case Uop.I32_LT_U_IMM:
        result(ip, i32(u32(slotA(ip)) < u32(imm(ip))));
        ip += 12;
        continue;
      case Uop.MOVE32:
        store<i32>(load<u16>(ip, 2), load<i32>(load<u16>(ip, 4)));
        ip += 8;
        continue;
      case Uop.MOVE64:
        store<i64>(load<u16>(ip, 2), load<i64>(load<u16>(ip, 4)));
        ip += 8;
        continue;
      case Uop.MOVE128:
        store<v128>(load<u16>(ip, 2), load<v128>(load<u16>(ip, 4)));
        ip += 8;
        continue;
      case Uop.CONST32:
        store<i32>(load<u16>(ip, 2), load<i32>(ip, 4));
        ip += 8;
        continue;
      case Uop.CONST64:
        store<i64>(load<u16>(ip, 2), load<i64>(ip, 4));
        ip += 12;
        continue;
      case Uop.CONST128:
        store<v128>(load<u16>(ip, 2), load<v128>(ip, 4));
        ip += 20;
        continue;
      case Uop.SELECT32: {
        const from = load<i32>(load<u16>(ip, 4)) ? load<u16>(ip, 6) : load<u16>(ip, 8);
        store<i32>(load<u16>(ip, 2), load<i32>(from));
        ip += 12;
        continue;
      }
      case Uop.SELECT64: {
        const from = load<i32>(load<u16>(ip, 4)) ? load<u16>(ip, 6) : load<u16>(ip, 8);
        store<i64>(load<u16>(ip, 2), load<i64>(from));
        ip += 12;
        continue;
      }
      case Uop.SELECT128: {
        const from = load<i32>(load<u16>(ip, 4)) ? load<u16>(ip, 6) : load<u16>(ip, 8);
        store<v128>(load<u16>(ip, 2), load<v128>(from));
        ip += 12;
        continue;
      }
      case Uop.LOAD8_S: {
        if (PAGED) {
          const place = placeOf(ip, 1, read);
          if (!place) return ip;
          store<i32>(load<u16>(ip, 2), load<i8>(place));
          ip += 12;
          continue;
        }
        const index = indexOf(ip);
        if (index > limit - 1) return <usize>fault(ip, index, FaultAccess.Read);
        store<i32>(load<u16>(ip, 2), load<i8>(index, Layout.WINDOW));
        ip += 12;
        continue;
      }
      case Uop.LOAD8_U: {
        if (PAGED) {
          const place = placeOf(ip, 1, read);
          if (!place) return ip;
          store<i32>(load<u16>(ip, 2), load<u8>(place));
          ip += 12;
          continue;
        }
        const index = indexOf(ip);
        if (index > limit - 1) return <usize>fault(ip, index, FaultAccess.Read);
        store<i32>(load<u16>(ip, 2), load<u8>(index, Layout.WINDOW));
        ip += 12;
        continue;
      }
      case Uop.LOAD16_S: {
        if (PAGED) {
          const place = placeOf(ip, 2, read);
          if (!place) return ip;
          store<i32>(load<u16>(ip, 2), load<i16>(place));
          ip += 12;
          continue;
        }
        const index = indexOf(ip);
        if (index > limit - 2) return <usize>fault(ip, index, FaultAccess.Read);
        store<i32>(load<u16>(ip, 2), load<i16>(index, Layout.WINDOW));
        ip += 12;
        continue;
      }
      case Uop.LOAD16_U: {
        if (PAGED) {
          const place = placeOf(ip, 2, read);
          if (!place) return ip;
          store<i32>(load<u16>(ip, 2), load<u16>(place));
          ip += 12;
          continue;
        }
        const index = indexOf(ip);
        if (index > limit - 2) return <usize>fault(ip, index, FaultAccess.Read);
        store<i32>(load<u16>(ip, 2), load<u16>(index, Layout.WINDOW));
        ip += 12;
        continue;
      }
      case Uop.LOAD32: {
        if (PAGED) {
          const place = placeOf(ip, 4, read);
          if (!place) return ip;
          store<i32>(load<u16>(ip, 2), load<i32>(place));
          ip += 12;
          continue;
        }
        const index = indexOf(ip);
        if (index > limit - 4) return <usize>fault(ip, index, FaultAccess.Read);
        store<i32>(load<u16>(ip, 2), load<i32>(index, Layout.WINDOW));
        ip += 12;
        continue;
      }
      case Uop.LOAD16_S_BE: {
        if (PAGED) {
          const place = placeOf(ip, 2, read);
          if (!place) return ip;
          store<i32>(load<u16>(ip, 2), bswap<i16>(load<i16>(place)));
          ip += 12;
          continue;
        }
        const index = indexOf(ip);
        if (index > limit - 2) return <usize>fault(ip, index, FaultAccess.Read);
        store<i32>(load<u16>(ip, 2), bswap<i16>(load<i16>(index, Layout.WINDOW)));
        ip += 12;
        continue;
      }
      case Uop.LOAD16_U_BE: {
        if (PAGED) {
          const place = placeOf(ip, 2, read);
          if (!place) return ip;
          store<i32>(load<u16>(ip, 2), bswap<u16>(load<u16>(place)));
          ip += 12;
          continue;
        }
        const index = indexOf(ip);
        if (index > limit - 2) return <usize>fault(ip, index, FaultAccess.Read);
        store<i32>(load<u16>(ip, 2), bswap<u16>(load<u16>(index, Layout.WINDOW)));
        ip += 12;
        continue;
      }
      case Uop.LOAD32_BE: {
        if (PAGED) {
          const place = placeOf(ip, 4, read);
          if (!place) return ip;
          store<i32>(load<u16>(ip, 2), bswap<i32>(load<i32>(place)));
          ip += 12;
          continue;
        }
        const index = indexOf(ip);
        if (index > limit - 4) return <usize>fault(ip, index, FaultAccess.Read);
        store<i32>(load<u16>(ip, 2), bswap<i32>(load<i32>(index, Layout.WINDOW)));
        ip += 12;
        continue;
      }
      case Uop.STORE8: {
        if (PAGED) {
          const place = placeOf(ip, 1, write);
          if (!place) return ip;
          store<u8>(place, load<u8>(load<u16>(ip, 2)));
          ip += 12;
          continue;
        }
        const index = indexOf(ip);
        if (index > limit - 1) return <usize>fault(ip, index, FaultAccess.Write);
        store<u8>(index, load<u8>(load<u16>(ip, 2)), Layout.WINDOW);
        ip += 12;
        continue;
      }
      case Uop.STORE16: {
        if (PAGED) {
          const place = placeOf(ip, 2, write);
          if (!place) return ip;
          store<u16>(place, load<u16>(load<u16>(ip, 2)));
          ip += 12;
          continue;
        }
        const index = indexOf(ip);
        if (index > limit - 2) return <usize>fault(ip, index, FaultAccess.Write);
        store<u16>(index, load<u16>(load<u16>(ip, 2)), Layout.WINDOW);
        ip += 12;
        continue;
      }
      case Uop.STORE32: {
        if (PAGED) {
          const place = placeOf(ip, 4, write);
          if (!place) return ip;
          store<i32>(place, load<i32>(load<u16>(ip, 2)));
          ip += 12;
          continue;
        }
        const index = indexOf(ip);
        if (index > limit - 4) return <usize>fault(ip, index, FaultAccess.Write);
        store<i32>(index, load<i32>(load<u16>(ip, 2)), Layout.WINDOW);
        ip += 12;
        continue;
      }
      case Uop.STORE16_BE: {
        if (PAGED) {
          const place = placeOf(ip, 2, write);
          if (!place) return ip;
          store<u16>(place, bswap<u16>(load<u16>(load<u16>(ip, 2))));
          ip += 12;
          continue;
        }
        const index = indexOf(ip);
        if (index > limit - 2) return <usize>fault(ip, index, FaultAccess.Write);
        store<u16>(index, bswap<u16>(load<u16>(load<u16>(ip, 2))), Layout.WINDOW);
        ip += 12;
        continue;
      }
      case Uop.STORE32_BE: {
        if (PAGED) {
          const place = placeOf(ip, 4, write);
          if (!place) return ip;
          store<i32>(place, bswap<i32>(load<i32>(load<u16>(ip, 2))));
          ip += 12;
          continue;
        }
        const index = indexOf(ip);
        if (index > limit - 4) return <usize>fault(ip, index, FaultAccess.Write);
        store<i32>(index, bswap<i32>(load<i32>(load<u16>(ip, 2))), Layout.WINDOW);
        ip += 12;
        continue;
      }
      case Uop.STORE32_IMM: {
        if (PAGED) {
          const place = placeOf(ip, 4, write);
          if (!place) return ip;
          store<i32>(place, load<i32>(ip, 12));
          ip += 16;
          continue;
        }
        const index = indexOf(ip);
        if (index > limit - 4) return <usize>fault(ip, index, FaultAccess.Write);
        store<i32>(index, load<i32>(ip, 12), Layout.WINDOW);
        ip += 16;
        continue;
      }
      case Uop.EXIT_IF:
        if (load<i32>(load<u16>(ip, 2))) {
          const kind = <ExitKind>load<u16>(ip, 4);
          // a helper that found the fault has described it
          if (kind !== ExitKind.MemoryFault) {
            store<u32>(Layout.EXIT_ARG0, load<u32>(ip, 12));
            store<u32>(Layout.EXIT_ARG1, 0);
          }
          refund(load<u16>(ip, 6));
          return <usize>leave(kind, load<u32>(ip, 8));
        }
        ip += 16;
        continue;
      case Uop.SLOW32:
        if (slotA(ip)) return ip;
        result(ip, slotB(ip));
        ip += 20;
        continue;
      case Uop.SLOW64:
        if (slotA(ip)) return ip;
        store<i64>(load<u16>(ip, 2), load<i64>(load<u16>(ip, 6)));
        ip += 20;
        continue;
      case Uop.SLOW128:
        if (slotA(ip)) return ip;
        v128.store(load<u16>(ip, 2), v128.load(load<u16>(ip, 6)));
        ip += 20;
        continue;
      case Uop.GOTO:
        link = ip + 4;
        break;
      case Uop.BRANCH_NZ:
        link = pick(ip, load<i32>(load<u16>(ip, 2)) !== 0);
        break;
      case Uop.BRANCH_Z:
        link = pick(ip, load<i32>(load<u16>(ip, 2)) === 0);
        break;
      case Uop.BRANCH_EQ:
        link = pick(ip, load<i32>(load<u16>(ip, 2)) === slotA(ip));
        break;
      case Uop.BRANCH_NE:
        link = pick(ip, load<i32>(load<u16>(ip, 2)) !== slotA(ip));
        break;
      case Uop.BRANCH_LT_S:
        link = pick(ip, load<i32>(load<u16>(ip, 2)) < slotA(ip));
        break;
      case Uop.BRANCH_LT_U:
        link = pick(ip, u32(load<i32>(load<u16>(ip, 2))) < u32(slotA(ip)));
        break;
      case Uop.BRANCH_LE_S:
        link = pick(ip, load<i32>(load<u16>(ip, 2)) <= slotA(ip));
        break;
      case Uop.BRANCH_LE_U:
        link = pick(ip, u32(load<i32>(load<u16>(ip, 2))) <= u32(slotA(ip)));
        break;
      case Uop.JUMP:
        link = 0;
        pc = load<u32>(load<u16>(ip, 2));
        break;
      case Uop.JUMP_NOTED:
        link = 0;
        pc = load<u32>(load<u16>(ip, 2));
        store<u32>(load<u32>(ip, 4) + ((((pc >>> 1) ^ (pc >>> 6)) & (JumpSite.WORDS - 1)) << 2), pc);
        break;
      case Uop.CALL:
        link = 0;
        pc = load<u32>(load<u16>(ip, 2));
        store<u32>(ip, pc, 4);
        break;
      case Uop.EXIT: {
        // arguments that are not given are a helper's
        const end = (<u32>load<u8>(ip, 3)) << 2;
        for (let i: u32 = 0; i < end; i += 4) store<u32>(Layout.EXIT_ARG0 + i, load<u32>(ip + i, 8));
        return <usize>leave(<ExitKind>load<u8>(ip, 2), load<u32>(ip, 4));
      }
      case Uop.CHECK_STACK: {
        const pointer = load<u32>(load<u16>(ip, 2));
        if (!(load<u8>(pointer >>> 12, Layout.PAGES) & PagePermission.Write)) return <usize>stackFault(ip, pointer);
        ip += 4;
        continue;
      }
      case Uop.STATUS_ADD:
        putSum(ip, slotA(ip), slotB(ip), true);
        ip += 8;
        continue;
      case Uop.STATUS_INC:
        putSum(ip, slotA(ip), slotB(ip), false);
        ip += 8;
        continue;
      case Uop.STATUS_SUB:
        putDifference(ip, slotA(ip) + slotB(ip), slotB(ip), 0, true);
        ip += 8;
        continue;
      case Uop.STATUS_DEC:
        putDifference(ip, slotA(ip) + slotB(ip), slotB(ip), 0, false);
        ip += 8;
        continue;
      case Uop.STATUS_CMP32:
        putDifference(ip, slotA(ip), slotB(ip), 0, true);
        ip += 8;
        continue;
      case Uop.STATUS_CMP16:
        putDifference(ip, slotA(ip), slotB(ip), 16, true);
        ip += 8;
        continue;
      case Uop.STATUS_CMP8:
        putDifference(ip, slotA(ip), slotB(ip), 24, true);
        ip += 8;
        continue;
      case Uop.STATUS_LOGIC:
        putLogic(ip, slotA(ip), slotB(ip));
        ip += 8;
        continue;
      case Uop.POP32: {
        const base = <usize>load<u16>(ip, 4);
        if (PAGED) {
          const place = placeAt(load<u32>(base), 4, read);
          if (!place) return ip;
          store<i32>(load<u16>(ip, 2), load<i32>(place));
        } else {
          const index = load<u32>(base) - Layout.FLOOR;
          if (index > limit - 4) return <usize>fault(ip, index, FaultAccess.Read);
          store<i32>(load<u16>(ip, 2), load<i32>(index, Layout.WINDOW));
        }
        store<i32>(base, load<i32>(base) + imm(ip));
        ip += 12;
        continue;
      }
      case Uop.PUSH32: {
        const base = <usize>load<u16>(ip, 4);
        const address: u32 = load<u32>(base) + load<u32>(ip, 8);
        if (PAGED) {
          const place = placeAt(address, 4, write);
          if (!place) return ip;
          store<i32>(place, load<i32>(load<u16>(ip, 2)));
        } else {
          const index = address - Layout.FLOOR;
          if (index > limit - 4) return <usize>fault(ip, index, FaultAccess.Write);
          store<i32>(index, load<i32>(load<u16>(ip, 2)), Layout.WINDOW);
        }
        store<u32>(base, address);
        ip += 12;
        continue;
      }
      case Uop.PUSH32_IMM: {
        const base = <usize>load<u16>(ip, 4);
        const address: u32 = load<u32>(base) + load<u32>(ip, 8);
        if (PAGED) {
          const place = placeAt(address, 4, write);
          if (!place) return ip;
          store<i32>(place, load<i32>(ip, 12));
        } else {
          const index = address - Layout.FLOOR;
          if (index > limit - 4) return <usize>fault(ip, index, FaultAccess.Write);
          store<i32>(index, load<i32>(ip, 12), Layout.WINDOW);
        }
        store<u32>(base, address);
        ip += 16;
        continue;
      }
      default:
        // most conditional calls are none
        if (number !== Uop.HELPER_IF || slotA(ip)) return ip;
        result(ip, 0);
        ip += 16;
        continue;
    }

    // a terminator: on to the next block
    if (once) return <usize>leave(ExitKind.None, link ? load<u32>(link, Link.PC) : pc);
    let block: u32 = 0;
    let heats = true;
    if (link) {
      block = load<u32>(link, Link.BLOCK);
      const flags = load<u8>(link, Link.FLAGS);
      heats = (flags & LinkFlag.COUNTS) !== 0;
      if (!block || (PAGED && flags & LinkFlag.CROSSES && !isFilled(load<u32>(link, Link.PC), load<u32>(block, BlockHeader.PAGE)))) {
        pc = load<u32>(link, Link.PC);
        block = knownBlock(pc);
        if (!PAGED || (block && load<u32>(block, BlockHeader.NEXT_PAGE) === 0)) store<u32>(link, block, Link.BLOCK);
      }
    } else {
      block = knownBlock(pc);
    }
    if (!block) {
      store<u32>(Layout.PC, pc);
      return Step.ELSEWHERE;
    }
    const flags = load<u32>(block, BlockHeader.FLAGS);
    if (flags) {
      if (link && flags & BlockFlag.STALE) store<u32>(link, 0, Link.BLOCK);
      store<u32>(Layout.PC, load<u32>(block, BlockHeader.PC));
      return Step.ELSEWHERE;
    }
    if (!enter(block, heats, threshold)) return Step.LEFT;
    ip = block + BlockHeader.SIZE;
  }
}
