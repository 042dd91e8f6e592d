mod by_hand;
mod records;
