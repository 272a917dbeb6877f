//! `fleet watch`: steps as lines, through restarts of the server and from files.
