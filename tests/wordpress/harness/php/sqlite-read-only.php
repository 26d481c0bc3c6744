<?php
// the driver's connection, told to refuse writes
$GLOBALS['@pdo']->exec( 'PRAGMA query_only = ON' );
