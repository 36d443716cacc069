/* A lexer-like state machine over random text, `size` times 64 KiB: dense switches inside a loop. */
#include "guest.h"

PROGRAM("states", 300);

enum { START, WORD, NUMBER, FRACTION, STRING, ESCAPE, COMMENT, SLASH, OPERATOR, SPACE_STATE, STATES };
static const char alphabet[32] = "abcxyz_019.\"\\/*+-=<> \n\t(){}[];,";
static char text[65536];

u32 run(u32 size) {
  u32 random = 1;
  for (u32 i = 0; i < sizeof text; i++) text[i] = alphabet[next_random(&random) >> 27];
  u32 counts[STATES];
  for (u32 i = 0; i < STATES; i++) counts[i] = 0;
  u32 state = START;
  while (size-- > 0) {
    for (u32 i = 0; i < sizeof text; i++) {
      char c = text[i];
      u32 next;
      switch (state) {
        case STRING:
          next = c == '"' ? START : c == '\\' ? ESCAPE : STRING;
          break;
        case ESCAPE:
          next = STRING;
          break;
        case COMMENT:
          next = c == '\n' ? START : COMMENT;
          break;
        default:
          switch (c) {
            case '"':
              next = STRING;
              break;
            case '/':
              next = state == SLASH ? COMMENT : SLASH;
              break;
            case '0':
            case '1':
            case '9':
              next = state == WORD ? WORD : state == FRACTION ? FRACTION : NUMBER;
              break;
            case '.':
              next = state == NUMBER ? FRACTION : OPERATOR;
              break;
            case ' ':
            case '\n':
            case '\t':
              next = SPACE_STATE;
              break;
            case '+':
            case '-':
            case '*':
            case '=':
            case '<':
            case '>':
              next = OPERATOR;
              break;
            case '(':
            case ')':
            case '{':
            case '}':
            case '[':
            case ']':
            case ';':
            case ',':
            case '\\':
              next = START;
              break;
            default:
              next = WORD;
          }
      }
      if (next != state) counts[next]++;
      state = next;
    }
  }
  u32 checksum = 0;
  for (u32 i = 0; i < STATES; i++) checksum = checksum * 31 + counts[i];
  return checksum;
}
