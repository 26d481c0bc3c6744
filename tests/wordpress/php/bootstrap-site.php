<?php
/** Integration and conformance tests run inside the site that TILLSYNC_SITE names, with all plugins loaded. */

declare( strict_types=1 );

( static function (): void {
	$site    = json_decode( (string) getenv( 'TILLSYNC_SITE' ), true, 8, JSON_THROW_ON_ERROR );
	$url     = parse_url( $site['url'] );
	$_SERVER = array(
		'HTTP_HOST'       => $url['host'] . ':' . $url['port'],
		'SERVER_NAME'     => $url['host'],
		'SERVER_PROTOCOL' => 'HTTP/1.1',
		'REQUEST_METHOD'  => 'GET',
		// The address is a REST route. The plugin's back office tools are loaded there, but no screen of wp-admin.
		'REQUEST_URI'     => '/wp-json/',
		'REMOTE_ADDR'     => '127.0.0.1',
		'HTTP_USER_AGENT' => 'tests',
	) + $_SERVER;
	define( 'TILLSYNC_SITE_DIRECTORY', $site['directory'] );
	if ( $site['admin'] ) {
		define( 'WP_ADMIN', true );
	}
} )();

// WordPress declares its objects as globals of this scope.
foreach ( array( 'wpdb', 'wp', 'wp_query', 'wp_the_query', 'wp_rewrite', 'wp_did_header', 'wp_filter', 'wp_actions', 'wp_current_filter', 'wp_locale', 'wp_object_cache', 'wp_roles', 'table_prefix', 'shortcode_tags', 'wp_version', 'wp_db_version', 'required_php_version', 'required_mysql_version', 'menu', 'submenu', 'pagenow', 'current_user', 'blog_id', 'post', 'wp_embed', 'wp_textdomain_registry', 'wp_plugin_paths', 'timestart', 'allowedposttags', 'allowedtags', 'allowedentitynames', 'wp_post_types', 'wp_taxonomies', 'wp_rest_server', 'woocommerce', 'wp_widget_factory' ) as $tillsync_name ) {
	global ${$tillsync_name};
}
require TILLSYNC_SITE_DIRECTORY . '/wp-load.php';
require_once ABSPATH . 'wp-admin/includes/admin.php';
require_once __DIR__ . '/SiteTestCase.php';
