<?php
/**
 * Updates of the plugin in WordPress.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Updates;

use Tillsync\Bridge\Connection\CopyGuard;
use Tillsync\Bridge\Log;
use Tillsync\Bridge\Service\ServiceError;
use WP_Error;

/**
 * Offers releases of the connected service to WordPress, and downloads them. wordpress.org is never asked for this plugin, and no answer
 * about it from elsewhere counts.
 *
 * One class has all hooks, so that every file is loaded before an update replaces the files.
 */
final class PluginUpdates {

	/** The header "Update URI". WordPress calls the filter update_plugins_{host}. The host never resolves. */
	private const UPDATE_URI = 'https://tillsync.invalid/bridge';

	/** Address of the package in WordPress's data. Nothing is fetched from it: `download` answers in its place. */
	private const PACKAGE = self::UPDATE_URI . '/tillsync-bridge-%s.zip';

	public function __construct(
		private readonly ReleaseSource $source,
		private readonly ReleaseKeys $keys,
		private readonly UpdateState $state,
		private readonly CopyGuard $copy_guard,
		private readonly Log $log
	) {}

	/**
	 * Answers WordPress's filter update_plugins_{host}.
	 *
	 * @param mixed $update      What other plugins answer.
	 * @param mixed $plugin_data Headers of the plugin.
	 * @param mixed $plugin_file Its file, relative to the folder of plugins.
	 * @return mixed
	 */
	public function offer( $update = false, $plugin_data = array(), $plugin_file = '' ) {
		if ( self::file() !== $plugin_file || null === $this->copy_guard->usable() || array() === $this->keys->all() ) {
			return $update;
		}
		// After an update this request still runs the old code. The header is of the new file.
		$installed = (string) ( is_array( $plugin_data ) ? $plugin_data['Version'] ?? '' : '' );
		try {
			$release = $this->source->newest( $installed );
		} catch ( UpdateError | ServiceError $error ) {
			$this->refused( $error );
			return $update;
		}
		$this->state->store( null === $release ? '' : $release->version );
		$offer = array( 'id' => self::UPDATE_URI, 'slug' => Release::PLUGIN, 'url' => '', 'version' => $installed, 'package' => '' );
		// Without a newer release WordPress lists the plugin as current, so automatic updates can be switched on.
		return null === $release ? $offer : array(
			'version'      => $release->version,
			'package'      => sprintf( self::PACKAGE, $release->version ),
			'requires'     => $release->requires,
			'requires_php' => $release->requires_php,
			'tested'       => $release->tested,
		) + $offer;
	}

	/**
	 * Removes the plugin from a question to wordpress.org (filter http_request_args).
	 *
	 * @param mixed $arguments Arguments of the request.
	 * @return mixed
	 */
	public function without_plugin( $arguments = array() ) {
		if ( ! is_array( $arguments ) || ! is_array( $arguments['body'] ?? null ) ) {
			return $arguments;
		}
		$sent = json_decode( (string) ( $arguments['body']['plugins'] ?? '' ), true );
		if ( is_array( $sent ) && is_array( $sent['plugins'] ?? null ) ) {
			// invariant: wordpress-org-is-not-asked-for-the-plugin
			unset( $sent['plugins'][ self::file() ] );
			if ( is_array( $sent['active'] ?? null ) ) {
				$sent['active'] = array_values( array_diff( $sent['active'], array( self::file() ) ) );
			}
			$arguments['body']['plugins'] = wp_json_encode( $sent );
		}
		$translations = json_decode( (string) ( $arguments['body']['translations'] ?? '' ), true );
		if ( isset( $translations[ Release::PLUGIN ] ) ) {
			unset( $translations[ Release::PLUGIN ] );
			$arguments['body']['translations'] = wp_json_encode( (object) $translations );
		}
		return $arguments;
	}

	/**
	 * Drops what others say of the plugin from WordPress's update data, also its translations, which are PHP files too.
	 *
	 * @param mixed $value The site transient update_plugins.
	 * @return mixed
	 */
	public function only_own( $value = null ) {
		if ( ! is_object( $value ) ) {
			return $value;
		}
		foreach ( array( 'response', 'no_update' ) as $list ) {
			$entry = is_array( $value->$list ?? null ) ? $value->$list[ self::file() ] ?? null : null;
			// invariant: foreign-updates-are-dropped
			if ( null !== $entry && self::UPDATE_URI !== ( ( (array) $entry )['id'] ?? '' ) ) {
				unset( $value->$list[ self::file() ] );
			}
		}
		if ( is_array( $value->translations ?? null ) ) {
			$value->translations = array_values( array_filter( $value->translations, static fn( $each ) => Release::PLUGIN !== ( ( (array) $each )['slug'] ?? '' ) ) );
		}
		return $value;
	}

	/**
	 * Answers "View details" in place of wordpress.org (filter plugins_api).
	 *
	 * @param mixed $result    What other plugins answer.
	 * @param mixed $action    For example plugin_information.
	 * @param mixed $arguments Names the slug.
	 * @return mixed
	 */
	public function information( $result = false, $action = '', $arguments = null ) {
		if ( 'plugin_information' !== $action || ! is_object( $arguments ) || Release::PLUGIN !== ( $arguments->slug ?? '' ) ) {
			return $result;
		}
		try {
			$release = $this->source->newest( \Tillsync\Bridge\VERSION );
		} catch ( UpdateError | ServiceError $error ) {
			return new WP_Error( 'tillsync_update', self::sentence( $error ) );
		}
		$text = null === $release ? __( 'Your tillsync service offers no newer version.', 'tillsync-bridge' ) : $release->changelog;
		return (object) array(
			'name'         => 'Tillsync Bridge',
			'slug'         => Release::PLUGIN,
			'version'      => null === $release ? \Tillsync\Bridge\VERSION : $release->version,
			'requires'     => null === $release ? '' : $release->requires,
			'requires_php' => null === $release ? '' : $release->requires_php,
			'tested'       => null === $release ? '' : $release->tested,
			'sections'     => array( 'changelog' => nl2br( esc_html( $text ) ) ),
		);
	}

	/**
	 * Downloads the package in place of WordPress (filter upgrader_pre_download).
	 *
	 * @param mixed $reply   What other plugins answer.
	 * @param mixed $package Address of the package.
	 * @return mixed A path or a WP_Error for this plugin's package.
	 */
	public function download( $reply = false, $package = '' ) {
		if ( ! is_string( $package ) || 0 !== strncmp( $package, self::UPDATE_URI, strlen( self::UPDATE_URI ) ) || is_wp_error( $reply ) ) {
			return $reply;
		}
		try {
			$release = array() === $this->keys->all() ? null : $this->source->newest( \Tillsync\Bridge\VERSION );
			if ( null === $release || sprintf( self::PACKAGE, $release->version ) !== $package ) {
				throw new UpdateError( __( 'Your tillsync service does not offer this version any more: look for updates again under Dashboard → Updates.', 'tillsync-bridge' ) );
			}
			$path = $this->source->download( $release );
		} catch ( UpdateError | ServiceError $error ) {
			$this->refused( $error );
			return new WP_Error( 'tillsync_update', self::sentence( $error ) );
		}
		$this->state->store( $release->version );
		return $path;
	}

	/**
	 * Refuses a package that would be installed into another folder (filter upgrader_source_selection).
	 *
	 * @param mixed $source   The unpacked folder.
	 * @param mixed $remote   Its parent.
	 * @param mixed $upgrader WordPress's upgrader.
	 * @param mixed $extra    Names the plugin that is updated.
	 * @return mixed
	 */
	public function check_folder( $source = '', $remote = '', $upgrader = null, $extra = array() ) {
		if ( ! is_string( $source ) || ! is_array( $extra ) || self::file() !== ( $extra['plugin'] ?? '' ) ) {
			return $source;
		}
		if ( basename( $source ) . '/' . basename( self::file() ) !== self::file() || ! is_file( trailingslashit( $source ) . basename( self::file() ) ) ) {
			/* translators: %s: name of a folder */
			$error = new UpdateError( sprintf( __( 'The update was refused: the zip is not of this plugin, or the plugin\'s folder is not called %s. Rename the folder, or upload the zip under Plugins → Add New.', 'tillsync-bridge' ), Release::PLUGIN ) );
			$this->refused( $error );
			return new WP_Error( 'tillsync_update', $error->getMessage() );
		}
		return $source;
	}

	private function refused( UpdateError|ServiceError $error ): void {
		$this->state->store( '', self::sentence( $error ) );
		$this->log->warning( 'no update: ' . self::sentence( $error ) );
	}

	private static function sentence( UpdateError|ServiceError $error ): string {
		return $error instanceof ServiceError ? $error->sentence() : $error->getMessage();
	}

	/** The plugin's file as WordPress names it. */
	private static function file(): string {
		return plugin_basename( \Tillsync\Bridge\PLUGIN_FILE );
	}
}
