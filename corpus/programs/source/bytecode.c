/* A stack machine that runs a loop of its own: one indirect jump for each bytecode. */
#include "guest.h"

PROGRAM("bytecode", 3000000);

enum { PUSH, LOAD, STORE, ADD, SUB, MUL, XOR, SHR, DUP, JUMP_IF, HALT };

/* i = size; s = 0; do { s = (s * 33 + i) ^ s >> 7; i = i - 1; } while (i); */
static const u8 code[] = {
    LOAD, 1, PUSH, 33, MUL, LOAD, 0, ADD, LOAD, 1, PUSH, 7, SHR, XOR, STORE, 1, LOAD, 0, PUSH, 1, SUB, DUP, STORE, 0, JUMP_IF, 0, HALT,
};

static u32 interpret(u32 *variables) {
  u32 stack[16];
  u32 *top = stack;
  const u8 *pc = code;
  for (;;) {
    switch (*pc++) {
      case PUSH:
        *top++ = *pc++;
        break;
      case LOAD:
        *top++ = variables[*pc++];
        break;
      case STORE:
        variables[*pc++] = *--top;
        break;
      case ADD:
        top--;
        top[-1] += top[0];
        break;
      case SUB:
        top--;
        top[-1] -= top[0];
        break;
      case MUL:
        top--;
        top[-1] *= top[0];
        break;
      case XOR:
        top--;
        top[-1] ^= top[0];
        break;
      case SHR:
        top--;
        top[-1] >>= top[0];
        break;
      case DUP:
        top[0] = top[-1];
        top++;
        break;
      case JUMP_IF:
        pc = *--top ? code + *pc : pc + 1;
        break;
      case HALT:
        return variables[1];
      default:
        __builtin_unreachable();
    }
  }
}

u32 run(u32 size) {
  u32 variables[2] = {size ? size : 1, 0};
  return interpret(variables);
}
