/* What Sphinx's scripts say, in Korean. Sphinx's own file of this name compiles a text when it is
   loaded (the rule of the plural), which the policy of the pages forbids. */
Object.assign(Documentation.TRANSLATIONS, {
  ", in ": ", 문서: ",
  "Hide Search Matches": "검색어 표시 지우기",
  "Preparing search...": "검색을 준비하는 중…",
  "Search": "검색",
  "Search Results": "검색 결과",
  "Search finished, found ${resultCount} page(s) matching the search query.":
    "검색을 마쳤습니다. 찾은 페이지: ${resultCount}개.",
  "Searching": "검색 중",
  "Your search did not match any documents. Please make sure that all words are spelled correctly and that you've selected enough categories.":
    "찾은 페이지가 없습니다. 낱말을 줄이거나 철자를 확인해 보세요.",
});
Documentation.PLURAL_EXPR = () => 0;
Documentation.LOCALE = "ko";
