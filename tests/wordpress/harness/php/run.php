<?php
/**
 * Runs PHP in a site: `php run.php` in the site's folder, with JSON {code, given, user, admin, installing, files, result} on stdin. The
 * value of `code` is written as JSON to the file `result`. What `code` prints goes to stdout.
 */

$tillsync_job = json_decode( stream_get_contents( STDIN ), true, 512, JSON_THROW_ON_ERROR );
$tillsync_url = parse_url( $tillsync_job['url'] );
$_SERVER      = array(
	'HTTP_HOST'       => $tillsync_url['host'] . ( isset( $tillsync_url['port'] ) ? ':' . $tillsync_url['port'] : '' ),
	'SERVER_NAME'     => $tillsync_url['host'],
	'SERVER_PROTOCOL' => 'HTTP/1.1',
	'REQUEST_METHOD'  => 'GET',
	'REQUEST_URI'     => ( $tillsync_url['path'] ?? '' ) . '/',
	'SCRIPT_NAME'     => '/index.php',
	'PHP_SELF'        => '/index.php',
	'REMOTE_ADDR'     => '127.0.0.1',
) + $_SERVER;
if ( ! empty( $tillsync_job['installing'] ) ) {
	define( 'WP_INSTALLING', true );
}
if ( ! empty( $tillsync_job['admin'] ) ) {
	define( 'WP_ADMIN', true );
}
require getcwd() . '/wp-load.php';
if ( ! empty( $tillsync_job['admin'] ) || ! empty( $tillsync_job['installing'] ) ) {
	require_once ABSPATH . 'wp-admin/includes/admin.php';
}
if ( ! empty( $tillsync_job['user'] ) ) {
	$tillsync_user = is_int( $tillsync_job['user'] ) ? get_user_by( 'id', $tillsync_job['user'] ) : get_user_by( 'login', $tillsync_job['user'] );
	wp_set_current_user( $tillsync_user->ID );
}
foreach ( $tillsync_job['files'] ?? array() as $tillsync_file ) {
	require_once $tillsync_file;
}
try {
	$tillsync_value = array(
		'value' => ( static function ( $tillsync_code, $tillsync_given ) {
			extract( $tillsync_given );
			return eval( $tillsync_code );
		} )( $tillsync_job['code'], $tillsync_job['given'] ),
	);
} catch ( Throwable $tillsync_thrown ) {
	$tillsync_value = array( 'thrown' => (string) $tillsync_thrown );
}
file_put_contents( $tillsync_job['result'], json_encode( $tillsync_value, JSON_THROW_ON_ERROR | JSON_INVALID_UTF8_SUBSTITUTE | JSON_PRESERVE_ZERO_FRACTION ) );
